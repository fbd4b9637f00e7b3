"""Who signed a form: the claim its fields make, and the proof of it.

COS signs the SHA-1 of the policy's text, S3 the policy in base64 as it was sent; its older Signature Version 2 is the
fields AWSAccessKeyId and signature.

Source: COS API, "POST Object" (436/14690); AWS, S3 API, "Browser-Based Uploads" of both versions; reference page §1.6.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from dataclasses import dataclass, field

from cos.errors import COSError
from cos.forms.form import Form
from cos.forms.policy import FormPolicy, parse_form_policy
from cos.signing import q_sign, sigv2, sigv4
from cos.signing.claim import Carrier, Claim, QSignTerms, SigV2Terms, SigV4Terms, Window
from cos.signing.q_sign_claim import ACCESS_KEY_ID, read_window
from cos.signing.sigv2_claim import NOT_SUPPORTED, check_credential
from cos.signing.sigv4_claim import MAX_EXPIRES_SECONDS, read_credential, read_moment

_S3_KEY_IDS = ("x-amz-credential", "awsaccesskeyid")
_SIGNATURE = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class FormClaim:
    """Who claims to have signed a form: the claim, and the policy text that the signature covers."""

    claim: Claim
    policy: bytes = field(repr=False)
    signed: bytes = field(repr=False)


def read_form_claim(form: Form, *, accepts_sigv2: bool = False) -> FormClaim:
    """The one signature of a form, read but not proved; `accepts_sigv2` tells whether it may be of Version 2.

    Raises COSError(AccessDenied, InvalidArgument, InvalidRequest, InvalidPolicyDocument).
    """
    encoded = form.text("policy")
    signatures = [name for name in ("q-signature", "x-amz-signature", "signature") if form.text(name) is not None]
    if encoded is not None and not signatures and any(form.text(name) for name in _S3_KEY_IDS):
        # S3's answer; COS's is a plain refusal.
        raise COSError("InvalidArgument", "Expected a field that holds the signature, before the file.")
    if encoded is None or len(signatures) != 1:
        raise COSError("AccessDenied", "Expected a form with a policy and one signature.")
    try:
        policy = base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError):
        raise COSError("InvalidPolicyDocument", "Invalid Policy: expected base64.") from None
    if signatures == ["q-signature"]:
        return FormClaim(_read_q_sign(form), policy, policy)
    if signatures == ["signature"]:
        if not accepts_sigv2:
            raise COSError("InvalidRequest", NOT_SUPPORTED)
        return FormClaim(_read_sigv2(form, parse_form_policy(policy)), policy, encoded.encode())
    return FormClaim(_read_sigv4(form, parse_form_policy(policy)), policy, encoded.encode())


def verify_form(form_claim: FormClaim, secret_key: str) -> None:
    """Prove that the policy was signed with `secret_key`. Raises COSError(SignatureDoesNotMatch)."""
    terms = form_claim.claim.terms
    match terms:
        case QSignTerms():
            to_sign = q_sign.post_object_string_to_sign(form_claim.signed)
            computed = q_sign.post_object_signature(secret_key, terms.key_time, form_claim.signed)
        case SigV4Terms():
            to_sign = form_claim.signed.decode("ascii")
            computed = sigv4.signature(sigv4.signing_key(secret_key, terms.scope), to_sign)
        case SigV2Terms():
            to_sign = form_claim.signed.decode("ascii")
            computed = sigv2.signature(secret_key, form_claim.signed)
    if not hmac.compare_digest(computed, form_claim.claim.signature):
        raise COSError("SignatureDoesNotMatch", details=(("StringToSign", to_sign),))


def _read_q_sign(form: Form) -> Claim:
    if form.text("q-sign-algorithm") != "sha1":
        raise COSError("InvalidArgument", "Expected q-sign-algorithm to be sha1.")
    access_key_id = _required(form, "q-ak")
    if ACCESS_KEY_ID.fullmatch(access_key_id) is None:
        raise COSError("InvalidArgument", "Expected q-ak to be 1 to 128 letters, digits, '.', '_' or '-'.")
    key_time = _required(form, "q-key-time")
    window = read_window("q-key-time", key_time)
    terms = QSignTerms(key_time, key_time, window)
    return _claim(form, access_key_id, "q-signature", form.text("x-cos-security-token"), window, terms)


def _read_sigv4(form: Form, policy: FormPolicy) -> Claim:
    if form.text("x-amz-algorithm") != sigv4.ALGORITHM:
        raise COSError("InvalidArgument", f"Expected x-amz-algorithm to be {sigv4.ALGORITHM}.")
    moment = _required(form, "x-amz-date")
    start = read_moment(moment)
    access_key_id, scope = read_credential(_required(form, "x-amz-credential"), moment)
    window = Window(start, min(start + MAX_EXPIRES_SECONDS, policy.expiration))
    terms = SigV4Terms(moment, scope, "")
    return _claim(form, access_key_id, "x-amz-signature", form.text("x-amz-security-token"), window, terms)


def _read_sigv2(form: Form, policy: FormPolicy) -> Claim:
    access_key_id, signature = _required(form, "awsaccesskeyid"), _required(form, "signature")
    check_credential(access_key_id, signature)
    return Claim(
        carrier=Carrier.QUERY,
        access_key_id=access_key_id,
        window=Window(0, policy.expiration),
        signed_headers=(),
        signed_parameters=None,
        signature=signature,
        terms=SigV2Terms(None, str(policy.expiration)),
        security_token=form.text("x-amz-security-token") or None,
    )


def _claim(
    form: Form,
    access_key_id: str,
    signature_field: str,
    token: str | None,
    window: Window,
    terms: QSignTerms | SigV4Terms,
) -> Claim:
    signature = _required(form, signature_field)
    if _SIGNATURE.fullmatch(signature) is None:
        raise COSError("InvalidArgument", f"Expected {signature_field} to be lower-case hexadecimal digits.")
    return Claim(
        # Like a URL, a form is signed beforehand and used by somebody else.
        carrier=Carrier.QUERY,
        access_key_id=access_key_id,
        window=window,
        signed_headers=(),
        signed_parameters=None,
        signature=signature,
        terms=terms,
        security_token=token or None,
    )


def _required(form: Form, name: str) -> str:
    value = form.text(name)
    if not value:
        raise COSError("InvalidArgument", f"Expected a field named {name}.")
    return value
