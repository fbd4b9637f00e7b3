"""The control listener: faults and the request log over HTTP, on a port of its own.

    GET    /health     {"status": "ok"}
    GET    /requests   the log's entries as a JSON array      DELETE /requests   forget them
    GET    /faults     the rules in force                     DELETE /faults     no faults
    PUT    /faults     a JSON array of rules instead of these  POST  /faults     one rule besides these

A rule is `{"action": "delay", "seconds": 1, "operation": "UploadPartCopy", "nth": 2}`: an action with its
fields, and the matchers of `FaultRule`. The data port has no such paths, because every path is a possible key.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import asdict, fields
from typing import Any

from emulator.emulator import Emulator
from emulator.faults import Action, Delay, ErrorInside200, ExtraBytes, FaultRule, Refuse, Reset, Truncate

MAX_BODY_BYTES = 1024 * 1024

_ACTIONS: dict[str, type[Action]] = {
    "delay": Delay,
    "refuse": Refuse,
    "error-inside-200": ErrorInside200,
    "reset": Reset,
    "truncate": Truncate,
    "extra-bytes": ExtraBytes,
}
_NAMES = {action: name for name, action in _ACTIONS.items()}
_MATCHERS = tuple(field.name for field in fields(FaultRule) if field.name != "action")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]


def parse_rule(value: object) -> FaultRule:
    """A rule from decoded JSON. Raises ValueError."""
    if not isinstance(value, dict) or value.get("action") not in _ACTIONS:
        raise ValueError(f"expected a rule with an action of {', '.join(_ACTIONS)}, got {value!r}")
    matchers = {name: value[name] for name in _MATCHERS if name in value}
    arguments = {name: given for name, given in value.items() if name != "action" and name not in matchers}
    if isinstance(arguments.get("data"), str):
        arguments["data"] = arguments["data"].encode("utf-8")
    try:
        return FaultRule(_ACTIONS[value["action"]](**arguments), **matchers)
    except TypeError as error:
        raise ValueError(f"expected the fields of {value['action']!r}: {error}") from None


def render_rule(rule: FaultRule) -> dict[str, object]:
    """A rule as JSON-ready values; `parse_rule` gives it back."""
    action: dict[str, object] = asdict(rule.action)
    if isinstance(action.get("data"), bytes):
        action["data"] = (
            bytes(rule.action.data).decode("utf-8", "replace") if isinstance(rule.action, ExtraBytes) else ""
        )
    matchers = {name: getattr(rule, name) for name in _MATCHERS}
    return {"action": _NAMES[type(rule.action)], **action, **matchers}


def create_control_app(
    emulator: Emulator,
) -> Callable[[Scope, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]:
    """The control endpoint as an ASGI application."""

    async def app(
        scope: Scope, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        try:
            status, answer = _answer(emulator, scope["method"], scope["path"], await _read(receive))
        except ValueError as error:
            status, answer = 400, {"error": str(error)}
        body = json.dumps(answer, ensure_ascii=False).encode("utf-8")
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    return app


def _answer(emulator: Emulator, method: str, path: str, body: bytes) -> tuple[int, object]:
    """Status and JSON-ready answer. Raises ValueError for a body that says no rules."""
    match method, path:
        case "GET", "/health":
            return 200, {"status": "ok"}
        case "GET", "/requests":
            return 200, [asdict(entry) for entry in emulator.log.entries]
        case "DELETE", "/requests":
            emulator.log.clear()
        case "GET", "/faults":
            return 200, [render_rule(rule) for rule in emulator.faults.rules]
        case "PUT", "/faults":
            rules = json.loads(body)
            if not isinstance(rules, list):
                raise ValueError("expected a JSON array of rules")
            emulator.faults.replace([parse_rule(rule) for rule in rules])
        case "POST", "/faults":
            emulator.faults.add(parse_rule(json.loads(body)))
        case "DELETE", "/faults":
            emulator.faults.clear()
        case _:
            return 404, {"error": f"expected a path and method of this listener, got {method} {path}"}
    return 200, {"status": "ok"}


async def _read(receive: Callable[[], Awaitable[Message]]) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise ValueError(f"expected a body of at most {MAX_BODY_BYTES} bytes")
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return bytes(body)
