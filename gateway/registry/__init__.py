"""Which buckets exist for the gateway: declared in the configuration, or found by listing accounts."""
