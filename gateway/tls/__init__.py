"""The gateway's certificate, and whose certificates it asks clients for: read from files, and read anew."""
