"""Where keys, credentials and the bucket registry are kept: an embedded SQLite file, and the configuration."""
