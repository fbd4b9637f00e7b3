"""Who is calling: find the key, sign again, compare. Steps 4 and 5 of a request.

The order is the security: a claim is read, its key found, the signature verified, and only then the key's
state, its window and what the signature covers are told apart, so that nobody without the secret learns
anything about a key. An unknown key costs the same work as a known one (threat model C19).
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from ipaddress import ip_address

from cos.address import Level
from cos.errors import COSError
from cos.forms import FormClaim, verify_form
from cos.framing import is_aws_chunked
from cos.operations import Operation
from cos.payload import PayloadReader, open_payload
from cos.request import Dialect, Request
from cos.signing import (
    Claim,
    SignKeys,
    SigV2Terms,
    WindowLimits,
    check_coverage,
    check_window,
    is_unsigned,
    read_chunk_signatures,
    verify,
)
from gateway.client_certificates import NO_CERTIFICATES, CertificateTerms, ClientCertificate, check_current
from gateway.limits import FailedProofs
from gateway.ports import AccessKey, AccessKeys, KeyState, KeyUses, Sessions
from gateway.secret import Secret
from policies.request import Caller

# Looked up once: in Python 3.11 a member of an enumeration costs as much as ten other names.
_S3, _ACTIVE = Dialect.S3, KeyState.ACTIVE
_NOBODY = AccessKey(id="", secret=Secret(secrets.token_hex(16)), principal="")
"""Stands in for a key that is unknown, and only costs time: nobody knows its secret, so it proves nothing."""

SIGV2_LABEL, SIGV2_ALLOWED = "sigv2", "allow"
"""The label of a key that may sign with Signature Version 2, where the gateway accepts it at all."""

_FROM_PAGES = (b"origin", b"sec-fetch-site")
"""What browsers say of requests that a web page makes, with a certificate nobody was asked about."""

ANONYMOUS = "anonymous"
"""The principal of requests that need no key. It may do what a policy grants to it by this name, and no more."""


class Authenticator:
    """Proves a request's claim against the keys this gateway issued, and the sessions, where they are accepted.

    `uses` is told of every key that proved a request. `sigv2` accepts AWS Signature Version 2, of labelled keys.
    `certificates` binds keys to the client certificates of their connections.
    """

    def __init__(
        self,
        keys: AccessKeys,
        *,
        limits: WindowLimits,
        failed: FailedProofs | None = None,
        sessions: Sessions | None = None,
        uses: KeyUses | None = None,
        sigv2: bool = False,
        certificates: CertificateTerms = NO_CERTIFICATES,
    ) -> None:
        self._keys = keys
        self._sessions = sessions
        self._uses = uses
        self._limits = limits
        self._failed = failed or FailedProofs()
        self._sign_keys = SignKeys()
        self._certificates = certificates
        self._asks_certificates = certificates.required or bool(certificates.principals)
        self.accepts_sigv2 = sigv2

    def authenticate(
        self,
        request: Request,
        level: Level,
        claim: Claim,
        *,
        now: float,
        client_address: str,
        certificate: ClientCertificate | None,
    ) -> Caller:
        """The caller a claim proves, on a connection that came with that certificate.

        `now` is in Unix seconds. Raises COSError(InvalidAccessKeyId, SignatureDoesNotMatch, AccessDenied,
        RequestTimeTooSkewed) and ports.Sealed.
        """
        key = self._keys.find(claim.access_key_id) or self._find_session(claim)
        try:
            verify(request, claim, (key or _NOBODY).secret.reveal(), sign_keys=self._sign_keys)
        except COSError as error:
            raise self._unproved(key, error, now=now, client_address=client_address) from None
        if key is None:
            raise COSError("InvalidAccessKeyId")
        check_coverage(request, claim, level=level)
        return self._admit(key, claim, now=now, client_address=client_address, certificate=certificate)

    def authenticate_form(
        self, form_claim: FormClaim, *, now: float, client_address: str, certificate: ClientCertificate | None
    ) -> Caller:
        """The caller who signed a form's policy; what the policy covers is judged when the form is read.

        `now` is in Unix seconds. Raises as `authenticate`.
        """
        claim = form_claim.claim
        key = self._keys.find(claim.access_key_id) or self._find_session(claim)
        try:
            verify_form(form_claim, (key or _NOBODY).secret.reveal())
        except COSError as error:
            raise self._unproved(key, error, now=now, client_address=client_address) from None
        if key is None:
            raise COSError("InvalidAccessKeyId")
        return self._admit(key, claim, now=now, client_address=client_address, certificate=certificate)

    def _unproved(self, key: AccessKey | None, error: COSError, *, now: float, client_address: str) -> COSError:
        """What a caller is told whose proof of a key, or of none, failed with this error."""
        if error.code != "SignatureDoesNotMatch":
            return error
        if self._failed.are_too_many(client_address, now=now):
            return COSError("AccessDenied")
        return error if key is not None else COSError("InvalidAccessKeyId")

    def _find_session(self, claim: Claim) -> AccessKey | None:
        # A key of the gateway's own needs no token; one that is sent with it says nothing.
        return self._sessions.find(claim.access_key_id, claim.security_token) if self._sessions is not None else None

    def _admit(
        self,
        key: AccessKey,
        claim: Claim,
        *,
        now: float,
        client_address: str,
        certificate: ClientCertificate | None,
    ) -> Caller:
        check_window(claim, now=int(now), limits=self._limits)
        if not key.unconditional:
            _check_conditions(key, now=now, client_address=client_address)
        if certificate is not None or self._asks_certificates:
            self._certificates.check_bound(key.principal, certificate, now=now)
        if isinstance(claim.terms, SigV2Terms):
            _check_sigv2(key)
        session, address = key.session, client_address or None
        if self._uses is not None:
            self._uses.note(key.id if session is None else session.parent, now=now)
        if session is None:
            return Caller(key.principal, key.id, key.sorted_labels, address)
        return Caller(key.principal, key.id, key.sorted_labels, address, session.parent, session.narrowing)

    def preflight(self, request: Request, *, client_address: str) -> Caller | None:
        """Who asks a browser's preflight question, which cannot be signed: nobody, by the name of ANONYMOUS.

        None for every other request. A signature in the query is that of the request to follow.
        """
        if request.method != "OPTIONS" or b"authorization" in request.headers:
            return None
        return Caller(principal=ANONYMOUS, access_key_id="", address=client_address or None)

    def unsigned(
        self, request: Request, certificate: ClientCertificate | None, *, now: float, client_address: str
    ) -> Caller | None:
        """Who sent a request without any signature: the principal of the connection's certificate.

        None where that is not accepted, and for every other request: they must be signed. `now` is in Unix seconds.
        Raises COSError(AccessDenied) for a certificate whose time is over, and for what a web page may have sent.
        """
        terms = self._certificates
        if certificate is None or not terms.accept_unsigned or not is_unsigned(request):
            return None
        principal = terms.principal_of(certificate)
        if principal is None:
            return None
        check_current(certificate, now=now)
        if any(name in request.headers for name in _FROM_PAGES):
            raise COSError("AccessDenied", "Expected a signed request from a web page.")
        return Caller(
            principal=principal, access_key_id=f"cert:{certificate.fingerprint}", address=client_address or None
        )

    def open_payload(self, request: Request, operation: Operation, claim: Claim | None) -> PayloadReader | None:
        """What the body of an authenticated request must keep; None when it promised nothing but its framing.

        `claim` is None of a request without a signature.
        Raises COSError(InvalidAccessKeyId, InvalidRequest, MissingContentLength) and ports.Sealed.
        """
        if claim is None or request.dialect is not _S3:
            # Signatures of COS's own scheme cover no body.
            return open_payload(request, operation, sha256=None, signatures=None)
        signatures = None
        if is_aws_chunked(request.headers):
            key = self._keys.find(claim.access_key_id) or self._find_session(claim)
            if key is None:
                raise COSError("InvalidAccessKeyId")
            signatures = read_chunk_signatures(claim, key.secret.reveal(), sign_keys=self._sign_keys)
        return open_payload(request, operation, sha256=claim.payload_sha256, signatures=signatures)


def _check_conditions(key: AccessKey, *, now: float, client_address: str) -> None:
    """Refuse a key whose time is over, which is disabled, or used from elsewhere. Raises COSError."""
    session = key.session
    if session is not None and datetime.fromtimestamp(now, UTC) >= session.expires_at:
        raise COSError("ExpiredToken")
    if key.state is not _ACTIVE:
        raise COSError("AccessDenied", "The access key is disabled.")
    if key.expires_at is not None and datetime.fromtimestamp(now, UTC) >= key.expires_at:
        raise COSError("AccessDenied", "The access key has expired.")
    if key.networks and not _inside(key, client_address):
        raise COSError("AccessDenied", "The access key may not be used from this network.")


def _check_sigv2(key: AccessKey) -> None:
    """Sessions are newer than any client that knows no better scheme."""
    if key.session is not None or key.labels.get(SIGV2_LABEL) != SIGV2_ALLOWED:
        raise COSError("AccessDenied", "The access key may not sign with AWS Signature Version 2.")


def _inside(key: AccessKey, client_address: str) -> bool:
    try:
        address = ip_address(client_address)
    except ValueError:
        return False
    return any(address in network for network in key.networks)
