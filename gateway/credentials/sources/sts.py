"""Asking Tencent Cloud's Security Token Service for a temporary credential, with a credential we hold already.

The answer is HTTP 200 also when it is a refusal: `{"Response": {"Error": {"Code": …}}}`. Of a refusal only the code
is kept; messages may quote what was sent.

Source: Tencent Cloud STS API, version 2018-08-13.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.credentials.sources import tc3
from gateway.credentials.sources.source import Obtained, SourceFailed, Surroundings, read_json, read_temporary
from gateway.inquiry import ask, question
from gateway.ports import UpstreamError

VERSION = "2018-08-13"
SERVICE = "sts"
CLOCK_CODES = frozenset({"AuthFailure.SignatureExpire"})
"""What STS says when our time is more than five minutes off."""

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9._]{0,99}", re.ASCII)


async def ask_sts(
    action: str, parameters: Mapping[str, str | int], *, credential: str, surroundings: Surroundings
) -> Obtained:
    """One call of an STS action that answers with credentials, signed with the credential of that name.

    Raises CredentialUnavailable, Sealed, StoreUnavailable.
    """
    signer = surroundings.open_credential(credential)
    payload = msgspec.json.encode(parameters)
    now = surroundings.now()
    host = surroundings.sts_host
    headers = [
        ("content-type", tc3.CONTENT_TYPE),
        ("content-length", str(len(payload))),
        ("x-tc-action", action),
        ("x-tc-version", VERSION),
        ("x-tc-region", surroundings.sts_region),
        ("x-tc-timestamp", str(int(now))),
        (
            "authorization",
            tc3.authorization(
                secret_id=signer.secret_id,
                secret_key=signer.secret_key.reveal(),
                host=host,
                service=SERVICE,
                action=action,
                payload=payload,
                timestamp=int(now),
            ),
        ),
    ]
    if signer.token is not None:
        headers.append(("x-tc-token", signer.token.reveal()))
    service = f"STS ({action})"
    try:
        answer = await ask(surroundings.sts, question("POST", host, "/", headers=headers), payload)
    except UpstreamError as error:
        raise SourceFailed(f"{service} was not reached: {error}") from error
    response = read_json(answer, service).get("Response")
    if not isinstance(response, dict):
        raise SourceFailed(f"{service} answered {answer.status} without a Response.")
    _refuse_error(response, service)
    credentials = response.get("Credentials")
    if not isinstance(credentials, dict):
        raise SourceFailed(f"{service} answered without Credentials.")
    return read_temporary(credentials, response.get("ExpiredTime"), answer, service, now)


def _refuse_error(response: Mapping[str, Any], service: str) -> None:
    error = response.get("Error")
    if error is None:
        return
    code = error.get("Code") if isinstance(error, dict) else None
    named = code if isinstance(code, str) and _CODE.fullmatch(code) else "an error without a code"
    hint = "; the clock of this machine is wrong" if named in CLOCK_CODES else ""
    raise SourceFailed(f"{service} refused: {named}{hint}.")
