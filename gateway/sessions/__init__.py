"""Sessions: temporary keys with a token and a policy of their own, for key holders and for OIDC identities."""
