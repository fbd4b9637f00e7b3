"""Who signed a request: verified against the emulator's own accounts, as COS does against its own.

The emulator accepts a signature that covers less than the gateway demands of its callers, because COS does
too; what a signature covers must be right.
"""

from __future__ import annotations

import hmac

from cos.errors import COSError
from cos.request import Request
from cos.signing import Claim, WindowLimits, check_window, verify
from emulator.exchange import Caller
from emulator.settings import Account, Credential


class Accounts:
    """The accounts of an emulator by key ID."""

    def __init__(self, accounts: tuple[Account, ...], *, max_skew_seconds: int) -> None:
        self._by_secret_id: dict[str, tuple[Account, Credential]] = {
            credential.secret_id: (account, credential) for account in accounts for credential in account.credentials
        }
        self._limits = WindowLimits(skew_seconds=max_skew_seconds)

    def authenticate(self, request: Request, claim: Claim, now: float) -> Caller:
        """The caller a claim proves. Raises COSError: see the steps."""
        # 1. The key must be known.
        held = self._by_secret_id.get(claim.access_key_id)
        if held is None:
            raise COSError("InvalidAccessKeyId")
        account, credential = held
        # 2. A temporary key needs its token, a permanent one must come without.
        if not hmac.compare_digest((credential.token or "").encode(), (claim.security_token or "").encode()):
            raise COSError("InvalidAccessKeyId", "The security token is not the one of this Access Key Id.")
        # 3. The signature must be right.
        verify(request, claim, credential.secret_key)
        # 4. And in time.
        check_window(claim, now=int(now), limits=self._limits)
        if credential.expires is not None and now >= credential.expires:
            raise COSError("ExpiredToken")
        return Caller(account, credential.secret_id)
