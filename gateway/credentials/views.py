"""What may be shown of the records in the store: to the admin API, the command line and the audit log alike.

A view never holds a secret. `etag` changes whenever anything stored of the record does, its sealed secret included.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, PlainSerializer, PlainValidator, WithJsonSchema

from gateway.credentials.upstream_credentials import secret_id_hint
from gateway.ports import KeyState
from gateway.secret import Secret
from gateway.stores.access_keys import AccessKeyRecord
from gateway.stores.admin_tokens import AdminTokenRecord, Role
from gateway.stores.upstream_credentials import CredentialState, UpstreamCredentialRecord


def _as_secret(value: object) -> Secret:
    if isinstance(value, Secret):
        return value
    if isinstance(value, str):
        return Secret(value)
    raise ValueError("expected a text")


ShownSecret = Annotated[
    Secret,
    PlainValidator(_as_secret),
    PlainSerializer(Secret.reveal, return_type=str),
    WithJsonSchema({"type": "string"}),
]
"""A secret that is on its way to its owner: JSON shows it, a `repr` does not."""


class View(BaseModel):
    """What all views share."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True, hide_input_in_errors=True)


class AccessKeyView(View):
    """An access key."""

    id: str
    """The SecretId an application uses."""
    principal: str
    """Who the key proves, as policies name it."""
    state: KeyState
    label: str
    """A note for people."""
    labels: dict[str, str]
    """Labels for policies and the audit log."""
    networks: tuple[str, ...]
    """Networks it may be used from; empty: any."""
    created_at: datetime
    expires_at: datetime | None
    """Null: never."""
    last_used_at: datetime | None = None
    """To the minute, some minutes late; null: never, or not asked for."""
    etag: str


class IssuedAccessKeyView(AccessKeyView):
    """A new access key."""

    secret: ShownSecret | None
    """The SecretKey an application uses; shown once, null when the request was repeated."""


class CredentialVersionView(View):
    """One version of a COS credential."""

    version: int
    secret_id: str
    """Only the ends of the SecretId."""
    state: CredentialState
    created_at: datetime
    remove_at: datetime | None
    """When a replaced version is removed by the gateway; null: not by itself."""


class CredentialView(View):
    """A COS credential with its versions, the oldest first."""

    name: str
    """How buckets refer to it."""
    account: str
    """The APPID it belongs to."""
    versions: tuple[CredentialVersionView, ...]
    etag: str


class AdminTokenView(View):
    """An admin token."""

    id: str
    name: str
    """What the audit log calls its holder."""
    role: Role
    created_at: datetime
    expires_at: datetime | None
    """Null: never."""
    etag: str


class SessionView(View):
    """A session, of which only this much is known here."""

    id: str
    """Its TmpSecretId."""
    ended: bool


class IssuedAdminTokenView(AdminTokenView):
    """A new admin token."""

    token: ShownSecret | None
    """What to send as `Authorization: Bearer`; shown once, null when the request was repeated."""


def view_access_key(record: AccessKeyRecord, last_used_at: datetime | None = None) -> AccessKeyView:
    """What may be shown of an access key, and when it was last used if that is known."""
    shown: dict[str, Any] = {
        "id": record.id,
        "principal": record.principal,
        "state": record.state,
        "label": record.label,
        "labels": dict(record.labels),
        "networks": tuple(str(network) for network in record.networks),
        "created_at": record.created_at,
        "expires_at": record.expires_at,
    }
    return AccessKeyView(**shown, last_used_at=last_used_at, etag=_tag(shown, record.secret_sealed))


def view_credential(records: Sequence[UpstreamCredentialRecord]) -> CredentialView:
    """What may be shown of a credential, from all its versions, the oldest first."""
    shown: dict[str, Any] = {
        "name": records[-1].name,
        "account": records[-1].account,
        "versions": tuple(
            CredentialVersionView(
                version=record.version,
                secret_id=secret_id_hint(record.secret_id),
                state=record.state,
                created_at=record.created_at,
                remove_at=record.remove_at,
            )
            for record in records
        ),
    }
    return CredentialView(**shown, etag=_tag(shown, *(record.secret_sealed for record in records)))


def view_credentials(records: Sequence[UpstreamCredentialRecord]) -> list[CredentialView]:
    """The credentials among records that are sorted by name and version."""
    return [view_credential(list(versions)) for _, versions in groupby(records, attrgetter("name"))]


def view_admin_token(record: AdminTokenRecord) -> AdminTokenView:
    """What may be shown of an admin token."""
    shown: dict[str, Any] = {
        "id": record.id,
        "name": record.name,
        "role": record.role,
        "created_at": record.created_at,
        "expires_at": record.expires_at,
    }
    return AdminTokenView(**shown, etag=_tag(shown, record.token_hash))


def _tag(shown: dict[str, Any], *sealed: bytes) -> str:
    """A digest of everything stored. What is only measured (a last use) does not belong into it."""
    digest = hashlib.sha256(json.dumps(shown, sort_keys=True, default=str).encode("utf-8"))
    for part in sealed:
        digest.update(len(part).to_bytes(4, "big") + part)
    return digest.hexdigest()[:32]
