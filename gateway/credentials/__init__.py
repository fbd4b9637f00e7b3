"""Keys the gateway issued, credentials it holds, and the vault that keeps their secrets sealed at rest."""
