"""Canned ACLs as the documents that `?acl` returns. Nobody is let in or kept out by them here: callers are accounts.

Source: COS API, "PUT Bucket acl", "PUT Object acl", "GET Object acl"; AWS, S3 API, "Canned ACL".
"""

from __future__ import annotations

from cos.errors import COSError
from cos.request import Dialect
from cos.xml import escape
from emulator.exchange import Exchange

_EVERYBODY = {
    Dialect.COS: "http://cam.qcloud.com/groups/global/AllUsers",
    Dialect.S3: "http://acs.amazonaws.com/groups/global/AllUsers",
}
_AUTHENTICATED = {
    Dialect.COS: "http://cam.qcloud.com/groups/global/AuthenticatedUsers",
    Dialect.S3: "http://acs.amazonaws.com/groups/global/AuthenticatedUsers",
}
_GRANTS: dict[str, tuple[tuple[dict[Dialect, str], str], ...]] = {
    "private": (),
    "default": (),
    "public-read": ((_EVERYBODY, "READ"),),
    "public-read-write": ((_EVERYBODY, "READ"), (_EVERYBODY, "WRITE")),
    "authenticated-read": ((_AUTHENTICATED, "READ"),),
    # The owner of the bucket and of its objects is one account.
    "bucket-owner-read": (),
    "bucket-owner-full-control": (),
}
_TYPED = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type'


def asked_acl(exchange: Exchange) -> bytes | None:
    """The document of the canned ACL in the request's header; None without one. Raises COSError(InvalidArgument)."""
    name = exchange.control("acl")
    if not name:
        return None
    if name not in _GRANTS:
        raise COSError("InvalidArgument", f"Expected a canned ACL, got {name[:40]!r}.")
    return canned_acl(exchange, name)


def canned_acl(exchange: Exchange, name: str) -> bytes:
    """Full control for the caller's account, and what the canned ACL grants besides.

    Written by hand: clients read the type of a grantee, which is an attribute; elements have none elsewhere.
    """
    account = exchange.caller.account if exchange.caller is not None else None
    owner_id, owner_name = (account.owner_id, account.uin) if account is not None else ("", "")
    owner = f"<ID>{escape(owner_id)}</ID><DisplayName>{escape(owner_name)}</DisplayName>"
    grants = [_grant("CanonicalUser", owner, "FULL_CONTROL")]
    for group, permission in _GRANTS[name]:
        # No prefix of the dialect is kept: whoever asks in the other one sees the group it was written with.
        grants.append(_grant("Group", f"<URI>{group[exchange.dialect]}</URI>", permission))
    return (
        "<?xml version='1.0' encoding='utf-8' ?>\n"
        f"<AccessControlPolicy><Owner>{owner}</Owner>"
        f"<AccessControlList>{''.join(grants)}</AccessControlList></AccessControlPolicy>"
    ).encode()


def _grant(kind: str, grantee: str, permission: str) -> str:
    return f'<Grant><Grantee {_TYPED}="{kind}">{grantee}</Grantee><Permission>{permission}</Permission></Grant>'
