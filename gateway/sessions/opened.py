"""Sessions as the pipeline asks for them: opened from their token, and only as alive as what they were issued for.

A session has no record of its own. At each use its parent is looked up in the same snapshot that answers for keys:
disabled, deleted, expired or given another secret, and its sessions are over as soon as the key is. A session can
be ended alone by its id, which is then in the store.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Collection
from datetime import UTC, datetime

from gateway.credentials.opened import OpenedSecrets
from gateway.credentials.vault import Vault
from gateway.credentials.watch import StoreWatch
from gateway.ports import AccessKey, AccessKeys, KeyState, Sealed, SessionTerms
from gateway.secret import Secret
from gateway.sessions.token import ID_PREFIX, Grant, InvalidToken, open_token
from policies.narrowing import Narrowing, parse_narrowing
from policies.regions import Territories

PROVIDER_PREFIX = "oidc:"
"""Leads the parent of a session that was exchanged for an identity provider's token."""
MAX_NARROWINGS = 256
"""Compiled session policies held in memory; the longest unused goes first."""


def parent_check(secret: Secret) -> bytes:
    """Tells whether a key still has the secret it had; from 238 random bits, so it tells nothing else."""
    return hashlib.sha256(b"cos-gateway session parent\0" + secret.reveal().encode("utf-8")).digest()[:16]


class OpenSessions:
    """Implements `ports.Sessions`. `providers` are the names of the identity providers that are configured."""

    def __init__(
        self,
        keys: AccessKeys,
        watch: StoreWatch,
        vault: Vault,
        *,
        territories: Territories,
        providers: Collection[str] = (),
    ) -> None:
        self._keys = keys
        self._watch = watch
        self._vault = vault
        self._territories = territories
        self._providers = frozenset(providers)
        self._opened: OpenedSecrets[Vault, Grant] = OpenedSecrets()
        self._narrowings: OrderedDict[str, Narrowing] = OrderedDict()
        watch.after_poll(self._opened.purge)

    def find(self, access_key_id: str, token: str | None) -> AccessKey | None:
        """The session of that id that the token opens, whatever its state; None when it opens none, when what it
        was issued for is gone, or when that is not any more what it was.

        Raises Sealed, StoreUnavailable.
        """
        if token is None or not access_key_id.startswith(ID_PREFIX):
            return None
        try:
            grant = self._opened.get(
                (access_key_id, token), self._vault, lambda vault: open_token(vault, access_key_id, token)
            )
        except InvalidToken:
            return None
        except Sealed:
            # A wholly static set-up has no master key and so no sessions; any other is sealed for everybody.
            self._keys.find(access_key_id)
            return None
        if grant.parent.startswith(PROVIDER_PREFIX):
            if grant.parent.removeprefix(PROVIDER_PREFIX) not in self._providers:
                return None
            parent = AccessKey(id=grant.parent, secret=grant.secret, principal=grant.principal)
        else:
            found = self._keys.find(grant.parent)
            if found is None or not _is_same(found, grant):
                return None
            parent = found
        ended = access_key_id in self._watch.contents.revoked_sessions
        return AccessKey(
            id=access_key_id,
            secret=grant.secret,
            principal=parent.principal,
            state=KeyState.DISABLED if ended else parent.state,
            expires_at=parent.expires_at,
            networks=parent.networks,
            labels=parent.labels,
            session=SessionTerms(
                parent=grant.parent,
                expires_at=datetime.fromtimestamp(grant.expires_at, UTC),
                narrowing=self._narrowing(grant.policy),
            ),
        )

    def _narrowing(self, text: str | None) -> Narrowing | None:
        if text is None:
            return None
        narrowing = self._narrowings.get(text)
        if narrowing is None:
            # It was read in this way before the token was made.
            narrowing = parse_narrowing(text, territories=self._territories)
            if len(self._narrowings) >= MAX_NARROWINGS:
                self._narrowings.popitem(last=False)
            self._narrowings[text] = narrowing
        self._narrowings.move_to_end(text)
        return narrowing


def _is_same(key: AccessKey, grant: Grant) -> bool:
    return key.principal == grant.principal and hmac.compare_digest(parent_check(key.secret), grant.parent_check)
