"""A gateway of several processes, told apart by nobody: what is true with one worker is true with two."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.audit_files import audit_files
from tests.gateway.workers.crews import (
    NOTHING_ALLOWED,
    PATIENCE_SECONDS,
    POLICY,
    Crew,
    connected_to_both,
    crew,
    eventually,
    status_on,
)
from tests.support.certificates import Authority, client_context
from tests.support.client import Client, target
from tests.support.names import CALLER_KEY, EXAMPLE, Key
from tests.support.site import Site, fresh_key


@pytest.fixture(scope="module")
def endpoint(emulator_site: Site) -> str:
    return f"http://127.0.0.1:{emulator_site.port}"


@pytest.fixture(scope="module")
def gateway(endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crew]:
    """For tests that leave it as it was."""
    with crew(tmp_path_factory.mktemp("crew"), endpoint) as running:
        yield running


@pytest.fixture
def fresh(endpoint: str, tmp_path: Path) -> Iterator[Crew]:
    with crew(tmp_path, endpoint) as running:
        yield running


def gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody waited for yet has."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return True
    return status.rpartition(")")[2].split()[0] == "Z"


def test_two_processes_serve_one_port_and_one_scrape_sums_them(gateway: Crew) -> None:
    pids = gateway.pids()
    assert len(set(pids.values())) == 2
    with connected_to_both(gateway) as connections:
        before, requests = gateway.served(), gateway.metric("cosgw_requests_total")
        assert [status_on(connections[number]) for number in (1, 2, 2)] == [404, 404, 404]
        assert gateway.served() == {1: before[1] + 1, 2: before[2] + 2}
        assert gateway.metric("cosgw_requests_total") == requests + 3
        assert gateway.metric("cosgw_request_seconds_count") == requests + 3
    assert gateway.metric("cosgw_policy_statements") == 1


def test_no_two_workers_give_the_same_request_id(gateway: Crew) -> None:
    with connected_to_both(gateway) as connections:
        for _ in range(20):
            for connection in connections.values():
                status_on(connection)
    lines = [line for file in audit_files(gateway.audit) for line in file.read_text().splitlines()]
    ids = [json.loads(line)["request_id"] for line in lines if '"type":"outcome"' in line]
    assert len(ids) >= 40
    assert len(set(ids)) == len(ids)


def test_each_worker_has_an_audit_file_and_find_reads_them_all(gateway: Crew) -> None:
    with connected_to_both(gateway):
        pass
    files = audit_files(gateway.audit)
    assert [file.name for file in files] == ["audit.jsonl", "audit.2.jsonl"]
    for file in files:
        decision = json.loads(file.read_text().splitlines()[-1])["decision_id"]
        found = gateway.told("audit", "find", decision)
        assert {event["decision_id"] for event in found} == {decision}


def test_ready_means_every_worker_is(gateway: Crew) -> None:
    status, text = gateway.ask("/readyz?verbose")
    checks = json.loads(text)["checks"]
    assert (status, checks["worker 2"]["ready"]) == (200, True)
    assert checks["policy versions"]["detail"] == "the same in every worker that answers"


def test_a_stopped_worker_is_not_ready(gateway: Crew) -> None:
    second = gateway.pids()[2]
    os.kill(second, signal.SIGSTOP)
    try:
        status, text = gateway.ask("/readyz?verbose")
        assert (status, json.loads(text)["checks"]["worker 2"]["detail"]) == (503, "does not answer")
        assert gateway.metric("cosgw_worker_up", worker="2") == 0
    finally:
        os.kill(second, signal.SIGCONT)
    eventually(lambda: gateway.ask("/readyz")[0] == 200)


@pytest.mark.parametrize("how", ["signal", "api"])
def test_a_reload_reaches_every_worker(gateway: Crew, how: str) -> None:
    token = gateway.told("admin-tokens", "create", f"reload-{how}", "--role", "security")["token"]

    def reload() -> int:
        if how == "api":
            return gateway.ask("/api/v1/policies/reload", "POST", Authorization=f"Bearer {token}")[0]
        assert gateway.process is not None
        gateway.process.send_signal(signal.SIGHUP)
        return 200

    with connected_to_both(gateway) as connections:
        try:
            gateway.policy.write_text("version: 1\nstatements: [")
            assert reload() == (422 if how == "api" else 200)
            assert [status_on(connection) for connection in connections.values()] == [404, 404]
            gateway.policy.write_text(NOTHING_ALLOWED)
            assert reload() == 200
            for connection in connections.values():
                eventually(lambda c=connection: status_on(c) == 403)  # type: ignore[misc]  # bound now, as it must be
        finally:
            gateway.policy.write_text(POLICY)
            assert reload() == 200
        for connection in connections.values():
            eventually(lambda c=connection: status_on(c) == 404)  # type: ignore[misc]  # bound now, as it must be
    eventually(lambda: "the same in every worker" in gateway.ask("/readyz?verbose")[1])


def test_workers_that_judge_by_different_versions_are_told_apart(endpoint: str, tmp_path: Path) -> None:
    policies = {"paths": [str(tmp_path / "policy.yaml")], "watch": False}
    with crew(tmp_path, endpoint, policies=policies) as program, connected_to_both(program) as connections:
        program.policy.write_text(NOTHING_ALLOWED)
        os.kill(program.pids()[1], signal.SIGHUP)
        eventually(lambda: status_on(connections[1]) == 403)
        assert status_on(connections[2]) == 404
        status, text = program.ask("/readyz?verbose")
        detail = json.loads(text)["checks"]["policy versions"]["detail"]
        assert status == 200
        assert re.fullmatch(r"differ: \w+ in worker 1; \w+ in worker 2", detail)
        assert program.metric("cosgw_policy_statements") == 2


def test_a_key_made_and_withdrawn_beside_the_gateway_counts_in_every_worker(gateway: Crew) -> None:
    made = gateway.told("keys", "create", "team:conformance")
    key = Key(made["id"], made["secret"])
    with connected_to_both(gateway) as connections:
        for connection in connections.values():
            eventually(lambda c=connection: status_on(c, key) == 404)  # type: ignore[misc]  # bound now
        assert gateway.run("keys", "disable", made["id"]).returncode == 0
        for connection in connections.values():
            eventually(lambda c=connection: status_on(c, key) == 403)  # type: ignore[misc]  # bound now


def test_a_worker_that_is_killed_loses_its_own_connections_only_and_is_replaced(fresh: Crew) -> None:
    with connected_to_both(fresh) as connections:
        pids, counted = fresh.pids(), fresh.metric("cosgw_requests_total")
        os.kill(pids[2], signal.SIGKILL)
        assert status_on(connections[1]) == 404
        with pytest.raises(OSError):
            status_on(connections[2])
    eventually(lambda: len(fresh.pids()) == 2)
    assert fresh.pids()[1] == pids[1]
    assert fresh.pids()[2] != pids[2]
    with connected_to_both(fresh) as connections:
        assert [status_on(connection) for connection in connections.values()] == [404, 404]
    assert fresh.metric("cosgw_requests_total") > counted
    assert fresh.ask("/readyz")[0] == 200
    assert re.search(r'"worker":2,.*"signal":"SIGKILL".*"event":"worker_ended"', "".join(fresh.output))


def test_when_the_worker_with_the_admin_port_is_replaced_sums_begin_anew(fresh: Crew) -> None:
    with connected_to_both(fresh) as connections:
        for _ in range(50):
            status_on(connections[2])
        counted, pids = fresh.metric("cosgw_requests_total"), fresh.pids()
        assert counted >= 52
        os.kill(pids[1], signal.SIGKILL)
        eventually(lambda: fresh.pids().get(1) not in (None, pids[1]))
        assert fresh.metric("cosgw_requests_total") < 50
        before = fresh.metric("cosgw_requests_total")
        assert status_on(connections[2]) == 404
        assert fresh.metric("cosgw_requests_total") == before + 1


def test_term_lets_requests_in_flight_finish_in_every_worker(fresh: Crew) -> None:
    keys = [fresh_key("drained") for _ in range(6)]
    pids = fresh.pids()
    waiting = []
    for key in keys:
        raw = Client(fresh.port, CALLER_KEY).render("PUT", EXAMPLE.host, target(key), body=b"whole")
        connection = socket.create_connection(("127.0.0.1", fresh.port), timeout=PATIENCE_SECONDS)
        connection.sendall(raw[:-1])
        waiting.append(connection)
    eventually(lambda: fresh.metric("cosgw_in_flight_requests") == 6)
    assert fresh.process is not None
    fresh.process.send_signal(signal.SIGTERM)
    # Some of these are accepted in the moment in which the workers stop accepting.
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not refused(fresh.port):
        assert time.monotonic() < deadline, "the workers go on accepting"
    for connection in waiting:
        connection.sendall(b"e")
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
        connection.close()
        assert answer.startswith(b"HTTP/1.1 200 "), answer
    # Less than the time that requests in flight have: nobody waits for a connection that is gone.
    assert fresh.process.wait(PATIENCE_SECONDS - 5) == 0
    assert all(gone(pid) for pid in pids.values())


def refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=10).close()
    except ConnectionRefusedError:
        return True
    except (ConnectionResetError, TimeoutError):
        # It was in the queue when the port was closed, or the queue was full. A later one is refused.
        return False
    # Not faster than connections are accepted, or the queue is all that is tested.
    time.sleep(0.005)
    return False


def test_workers_share_a_port_that_speaks_tls(endpoint: str, tmp_path: Path) -> None:
    authority = Authority()
    authority.server().write(tmp_path / "tls.pem", tmp_path / "tls.key")
    tls = {"certificate": str(tmp_path / "tls.pem"), "key": str(tmp_path / "tls.key")}
    context = client_context(authority)
    with crew(tmp_path, endpoint, tls=tls) as program:
        port = int(re.findall(r"serving https://127\.0\.0\.1:(\d+)", "".join(program.output))[-1])
        raw = Client(port, CALLER_KEY).render("GET", EXAMPLE.host, target("nothing-is-here"))
        kept: list[ssl.SSLSocket] = []
        while not kept or min(program.served().values()) == 0:
            assert len(kept) < 64, "64 connections went to one worker"
            plain = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)
            kept.append(context.wrap_socket(plain, server_hostname="localhost"))
            kept[-1].sendall(raw.replace(b"connection: close\r\n", b""))
            assert kept[-1].recv(12) == b"HTTP/1.1 404"
        assert sum(program.served().values()) == len(kept)
        for connection in kept:
            connection.close()


def test_when_the_parent_is_killed_no_worker_stays(fresh: Crew) -> None:
    pids = fresh.pids()
    fresh.stop(kill=True)
    eventually(lambda: all(gone(pid) for pid in pids.values()))
    assert refused(fresh.port)


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"policies": {"paths": ["/nowhere/policy.yaml"]}}, 2, "/nowhere/policy.yaml"),
        ({"embedded": {"enabled": True}, "upstream": {}}, 2, "workers: found 2"),
        ({"workers": 0}, 2, "workers"),
        ({"workers": 65}, 2, "workers"),
    ],
    ids=["policies", "embedded", "none", "too many"],
)
def test_what_one_worker_could_not_start_with_is_said_once(
    endpoint: str, tmp_path: Path, changes: dict[str, object], code: int, said: str
) -> None:
    done = Crew(tmp_path, endpoint, **changes).run("serve")
    assert done.returncode == code
    assert len([line for line in done.stderr.splitlines() if said in line]) == 1, done.stderr
    assert "Traceback" not in done.stderr
