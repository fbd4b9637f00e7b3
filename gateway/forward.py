"""Onward to COS: open the server-held credential, sign exactly what is sent, send it. Steps 11 to 13.

This is the only place that opens a COS credential, and it is reached only with a request that was already
judged (or with the measurement a rule asked for).
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator

from cos.request import Dialect
from cos.rewrite import UpstreamRequest
from cos.signing import Scheme, SignKeys, sign
from gateway.ports import (
    BucketRecord,
    Upstream,
    UpstreamBroken,
    UpstreamCredentials,
    UpstreamResponse,
    UpstreamUnreachable,
)

# Looked up once: in Python 3.11 a member of an enumeration costs as much as ten other names.
_S3, _SIGV4, _Q_SIGN = Dialect.S3, Scheme.SIGV4, Scheme.Q_SIGN
SIGNATURE_LIFETIME_SECONDS = 900
"""How long an upstream signature is valid. It covers one request and is renewed for each attempt."""
SERVICE_SCOPE_REGION = "ap-guangzhou"
"""The region in an S3 credential scope when no bucket gives one; COS does not check it (reference page §2.4)."""
MAX_ATTEMPTS = 3
RETRY_BASE_SECONDS = 0.05
RETRY_BUDGET_RATIO = 0.1
RETRY_BUDGET_MAX = 10.0
"""Retries may add one tenth to the load, with this many saved up at most."""


class Forwarder:
    """Signs and sends, and repeats a request only where a repeat is provably harmless."""

    def __init__(self, credentials: UpstreamCredentials, upstream: Upstream) -> None:
        self._credentials = credentials
        self._upstream = upstream
        self._sign_keys = SignKeys()
        self._retry_budget = RETRY_BUDGET_MAX
        self.retries = 0

    async def send(
        self,
        request: UpstreamRequest,
        body: AsyncIterator[bytes] | bytes,
        *,
        bucket: BucketRecord | None,
        source: BucketRecord | None = None,
        dialect: Dialect,
        replayable: bool,
        response_timeout_seconds: float | None = None,
    ) -> UpstreamResponse:
        """Send one judged request with the credential of `bucket` and return its answer's head.

        `source` is the bucket a copy reads, which the credential must be able to read. `replayable` says that the
        operation may run twice; a body that is a stream is never sent twice.
        Raises Sealed, CredentialUnavailable, UpstreamError.
        """
        credential = self._credentials.open_for(bucket, source)
        if self._retry_budget < RETRY_BUDGET_MAX:
            self._retry_budget = min(self._retry_budget + RETRY_BUDGET_RATIO, RETRY_BUDGET_MAX)
        attempt = 1
        while True:
            signed = sign(
                request,
                scheme=_SIGV4 if dialect is _S3 else _Q_SIGN,
                secret_id=credential.secret_id,
                secret_key=credential.secret_key.reveal(),
                token=credential.token.reveal() if credential.token is not None else None,
                now=int(time.time()),
                lifetime_seconds=SIGNATURE_LIFETIME_SECONDS,
                region=bucket.region if bucket is not None else SERVICE_SCOPE_REGION,
                sign_keys=self._sign_keys,
            )
            sending = self._upstream.send(signed, body, response_timeout_seconds=response_timeout_seconds)
            del signed  # what was sent need not be kept while the answer is on its way
            try:
                return await sending
            except (UpstreamUnreachable, UpstreamBroken) as error:
                harmless = isinstance(body, bytes) and (replayable or not error.sent)
                if not harmless or attempt >= MAX_ATTEMPTS or self._retry_budget < 1:
                    raise
            self._retry_budget -= 1
            self.retries += 1
            # Full jitter: replicas that lost the same upstream do not come back in step.
            await asyncio.sleep(random.uniform(0, RETRY_BASE_SECONDS * 2**attempt))  # noqa: S311
            attempt += 1
