"""Random requests signed by the official Python SDK: each must be accepted, and refused once a covered byte differs.

    python -m benchmarks.fuzz.differential --requests 100000 --seed 1

No network is used: the SDK's `CosS3Auth` signs a prepared request, and its bytes are read as if received.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from urllib.parse import quote, urlencode

import requests
from qcloud_cos.cos_auth import CosS3Auth

from cos.address import Domains, parse_address
from cos.errors import COSError
from cos.operations import OPERATIONS, SIGNATURE_PARAMETERS
from cos.request import read_request
from cos.signing import check_coverage, check_window, read_claim, verify

DOMAINS = Domains(("127.0.0.1",))
SECRET = "SecretOfNobody0000000000000000000"
_KEY_CHARACTERS = "abcXYZ019/-_.~ +%&=?#*'()[]{}@:;,$!\\^|<>\"`中文é😀"
_VALUE_CHARACTERS = "abcXYZ019/-_.~+%&=?#*'():;,$! "
_HEADERS = (
    "Cache-Control",
    "Content-Type",
    "Content-Disposition",
    "If-Match",
    "Range",
    "Origin",
    "x-cos-acl",
    "x-cos-meta-a",
    "x-cos-meta-Long-Name",
    "x-cos-copy-source",
    "x-cos-copy-source-range",
    "x-cos-copy-source-If-Match",
    "x-cos-storage-class",
    "x-cos-server-side-encryption",
    "x-cos-security-token",
)
_PARAMETERS = (
    "uploadId",
    "partNumber",
    "acl",
    "uploads",
    "prefix",
    "delimiter",
    "encoding-type",
    "versionId",
    "max-keys",
    "response-content-type",
)


@dataclass(frozen=True, slots=True)
class Signed:
    """A request as the SDK would put it on the wire."""

    method: str
    target: bytes
    headers: list[tuple[bytes, bytes]]


class RandomRequests:
    """Makes requests the SDK signs, reproducibly but for the moment in them."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self._configuration = SimpleNamespace(
            _secret_id="AKIDofNobody",
            _secret_key=SECRET,
            _anonymous=False,
            _sign_params=True,
            _sign_host=True,
            _credential_inst=None,
        )

    def next(self) -> Signed:
        draw = self.random
        method = draw.choice(("GET", "PUT", "POST", "DELETE", "HEAD"))
        key = self._text(_KEY_CHARACTERS, 1, 30).lstrip("/") or "k"
        parameters = {
            name: self._text(_VALUE_CHARACTERS, 0, 12) for name in draw.sample(_PARAMETERS, draw.randrange(4))
        }
        headers: dict[str, str | bytes] = {
            name: self._text(_VALUE_CHARACTERS, 1, 20).strip() for name in draw.sample(_HEADERS, draw.randrange(5))
        }
        if draw.random() < 0.2:
            headers["x-cos-meta-nm"] = self._text("中文é a", 1, 8).strip().encode()
        host = draw.choice(("b-1250000000.cos.ap-guangzhou.myqcloud.com", "b-1250000000.127.0.0.1"))
        if draw.random() < 0.3:
            host += ":8080"
        headers["Host"] = host
        # As cos_client.py does: the path keeps `/-_.~`, and `./` is written `.%2F`.
        path = quote(key.encode(), safe="/-_.~").replace("./", ".%2F")
        url = f"http://{host}/{path}" + (f"?{urlencode(parameters)}" if parameters else "")
        prepared = requests.Request(method, url, headers=headers).prepare()
        CosS3Auth(self._configuration, key, parameters)(prepared)
        fields = [(_bytes(name), _bytes(value)) for name, value in prepared.headers.items()]
        return Signed(method, _bytes("/" + url.split("/", 3)[3]), fields)

    def flip(self, signed: Signed) -> Signed:
        """The same with one byte of a covered part replaced by another visible one."""
        draw = self.random
        covered = [
            number
            for number, (name, value) in enumerate(signed.headers)
            if value and (name.lower().startswith(b"x-cos-") or name.lower() in (b"host", b"authorization", b"range"))
        ]
        if draw.random() < 0.4:
            at = draw.randrange(1, len(signed.target)) if len(signed.target) > 1 else 0
            return Signed(signed.method, _replaced(draw, signed.target, at), signed.headers)
        number = draw.choice(covered)
        name, value = signed.headers[number]
        headers = list(signed.headers)
        headers[number] = (name, _replaced(draw, value, draw.randrange(len(value))))
        return Signed(signed.method, signed.target, headers)

    def _text(self, characters: str, shortest: int, longest: int) -> str:
        return "".join(self.random.choices(characters, k=self.random.randint(shortest, longest)))


def accept(signed: Signed) -> None:
    """What the gateway does up to the proof. Raises COSError."""
    request = read_request(signed.method, signed.target, signed.headers)
    address = parse_address(request.host, request.target.path, DOMAINS)
    claim = read_claim(request)
    if claim.access_key_id != "AKIDofNobody":
        raise COSError("InvalidAccessKeyId")
    verify(request, claim, SECRET)
    check_window(claim, now=int(time.time()))
    check_coverage(request, claim, level=address.level)


def meaning(signed: Signed) -> tuple[object, ...]:
    """What a request says, whatever its spelling: two with the same meaning may carry the same signature."""
    request = read_request(signed.method, signed.target, signed.headers)
    return (request.target.path, sorted(request.target.query), sorted(request.headers))


def run(*, seed: int, count: int) -> Mapping[str, int]:
    """Sign and check `count` requests. Raises AssertionError at the first that is judged wrongly."""
    source = RandomRequests(seed)
    same = 0
    for number in range(count):
        signed = source.next()
        try:
            accept(signed)
        except COSError as error:
            raise AssertionError(f"request {number} of the SDK was refused: {error}: {signed}") from error
        flipped = source.flip(signed)
        try:
            accept(flipped)
        except COSError:
            continue
        # The lawful ways to be accepted: another spelling of the very same request; or another case of a
        # parameter's name, which q-sign does not tell apart but the table of operations refuses.
        if meaning(flipped) != meaning(signed) and not _has_unknown_parameter(flipped):
            raise AssertionError(f"request {number} was accepted though {signed} became {flipped}")
        same += 1
    return {"seed": seed, "requests": count, "flips_that_changed_nothing": same}


_KNOWN = SIGNATURE_PARAMETERS.union(*(operation.subresource | operation.parameters for operation in OPERATIONS))


def _has_unknown_parameter(signed: Signed) -> bool:
    request = read_request(signed.method, signed.target, signed.headers)
    return any(name not in _KNOWN for name, _ in request.target.query)


def _replaced(draw: random.Random, data: bytes, at: int) -> bytes:
    other = data[at]
    while other == data[at]:
        other = draw.randrange(0x21, 0x7F)
    return data[:at] + bytes((other,)) + data[at + 1 :]


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    started = time.monotonic()
    result = run(seed=chosen.seed, count=chosen.requests)
    print(json.dumps({**result, "seconds": round(time.monotonic() - started, 1)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
