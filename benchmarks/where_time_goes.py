"""Where the time of one small part copy goes: each stage of the pipeline, run alone many times in this process.

    python3 -m benchmarks.where_time_goes

Figures are the lowest CPU time of several repeats, so that busy neighbours and cold caches are left out; what a
whole request costs on a socket is measured by `benchmarks.small_copies`. The difference is the server, the event
loop and the kernel.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

import uvloop
import yaml

from benchmarks import copies, report
from benchmarks.subjects import gateway_settings, start_upstream
from cos.address import Domains, parse_address
from cos.calls import read_call
from cos.headers import Headers
from cos.operations import find_operation
from cos.request import read_request
from cos.rewrite import rewrite
from cos.signing import Scheme, SignKeys, read_claim, sign
from gateway.asked import access_request
from gateway.audit_fields import described
from gateway.context import Context
from gateway.exchange import Exchange
from gateway.identifiers import new_request_id
from gateway.services import open_services
from gateway.settings import load_settings
from gateway.telemetry import configure_logging

REPEATS = 7
RUNS = 400


async def _lowest(stage: Callable[[], Any], *, asynchronous: bool) -> float:
    """Microseconds of CPU, this process, all threads."""
    best = float("inf")
    for _ in range(REPEATS):
        started = time.process_time()
        for _ in range(RUNS):
            result = stage()
            if asynchronous:
                await result
        best = min(best, (time.process_time() - started) / RUNS * 1e6)
    return best


class _Nobody:
    """Takes what would go to the client's socket; its body is empty."""

    async def receive(self) -> tuple[bytes, bool]:
        return b"", False

    async def answer(self, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> None:
        pass

    async def start(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        pass

    async def send(self, piece: bytes, *, last: bool) -> None:
        pass

    def abort(self) -> None:
        pass


async def _measure(folder: Path) -> list[tuple[str, float]]:
    upstream = start_upstream(folder, core=1)
    configuration = folder / "gateway.yaml"
    configuration.write_text(yaml.safe_dump(gateway_settings(folder, f"http://127.0.0.1:{upstream.port}", 0, 0)))
    settings = load_settings(configuration, {})
    configure_logging(level="info", json=True)
    head, *_ = copies.render(copies.part_copy(7)).partition(b"\r\n\r\n")
    line, *rest = head.split(b"\r\n")
    fields = Headers.of((name, value) for name, _, value in (field.partition(b":") for field in rest))
    method, target = line.split(b" ")[0].decode(), line.split(b" ")[1]

    def exchange() -> Exchange:
        return Exchange(
            _Nobody(),
            method=method,
            raw_target=target,
            headers=fields,
            client_address="127.0.0.1",
            certificate=None,
            request_id=new_request_id(),
            started=time.monotonic(),
        )

    found: list[tuple[str, float]] = []
    async with open_services(settings) as services:
        pipeline = services.pipeline
        domains = Domains(gateway=settings.data.domains)
        authenticator, authorizer = pipeline._authenticator, pipeline._authorizer  # noqa: SLF001  # its stages are what is measured
        forwarder, relay = pipeline._forwarder, pipeline._relay  # noqa: SLF001
        request = read_request(method, target, fields)
        address = parse_address(request.host, request.target.path, domains)
        operation = find_operation(request, address.level)
        claim = read_claim(request)
        call = read_call(request, address, operation, domains)
        context = Context(request_id=new_request_id(), client_address="127.0.0.1", certificate=None)
        context.request, context.address, context.operation, context.call = request, address, operation, call
        ends = authorizer.resolve(context, address, call)
        now = time.time()
        caller = context.caller = authenticator.authenticate(
            request, address.level, claim, now=now, client_address="127.0.0.1", certificate=None
        )

        def judged() -> Any:
            return authorizer.judge(context, access_request(request, caller, call, ends, now=now))

        judged()
        sign_keys = SignKeys()

        def rewritten() -> Any:
            return rewrite(request, call, region=address.region, source_region=address.region)

        outgoing = rewritten()

        def signed() -> Any:
            return sign(
                outgoing, scheme=Scheme.Q_SIGN, secret_id="AKID", secret_key="secret", token=None, now=int(time.time()),
                lifetime_seconds=900, region="ap-guangzhou", sign_keys=sign_keys,
            )  # fmt: skip

        async def sent(*, relayed: bool) -> None:
            response = await forwarder.send(
                outgoing, b"", bucket=context.bucket, dialect=request.dialect, replayable=True,
                response_timeout_seconds=600,
            )  # fmt: skip
            try:
                if relayed:
                    await relay.relay(context, response, exchange())
                else:
                    async for _ in response.stream():
                        pass
            finally:
                await response.aclose()

        async def recorded() -> None:
            await services.audit.record({"type": "intent"}, described(context))

        answered = exchange()
        answered.status = 200
        sync: list[tuple[str, Callable[[], Any]]] = [
            ("1 read the request", lambda: read_request(method, target, fields)),
            ("2 address", lambda: parse_address(request.host, request.target.path, domains)),
            ("3 operation", lambda: find_operation(request, address.level)),
            ("4 claim", lambda: read_claim(request)),
            (
                "5 authenticate",
                lambda: authenticator.authenticate(
                    request, address.level, claim, now=now, client_address="127.0.0.1", certificate=None
                ),
            ),
            ("7 call", lambda: read_call(request, address, operation, domains)),
            ("7 buckets", lambda: authorizer.resolve(context, address, call)),
            ("9 policy", judged),
            ("12 rewrite", rewritten),
            ("12 sign", signed),
            ("14 conclude: outcome, metrics, access log", lambda: pipeline._conclude(answered, context, "completed")),  # noqa: SLF001
        ]
        awaited: list[tuple[str, Callable[[], Awaitable[Any]]]] = [
            ("10 audit intent, alone in its batch", recorded),
            ("11-13 credential, sign, send, read", lambda: sent(relayed=False)),
            ("11-14 the same and relay", lambda: sent(relayed=True)),
            ("1-14 the whole pipeline", lambda: pipeline.handle(exchange())),
        ]
        for name, stage in sync:
            found.append((name, await _lowest(stage, asynchronous=False)))
            await asyncio.sleep(0.05)
        for name, awaited_stage in awaited:
            found.append((name, await _lowest(awaited_stage, asynchronous=True)))
    upstream.program.stop()
    return found


def main() -> None:
    argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0]).parse_args()
    with tempfile.TemporaryDirectory(prefix="cosgw-benchmark-") as name:
        found = uvloop.run(_measure(Path(name)))
    report.write(
        "where_time_goes",
        "Where the time of a small part copy goes",
        {"microseconds": dict(found)},
        [report.table(("stage", "CPU µs"), [(stage, round(value, 1)) for stage, value in found])],
        ["Stages run alone and one after the other: the sum is an estimate, the whole is on the last line."],
    )


if __name__ == "__main__":
    main()
