"""A COS in one process: the embedded default upstream, for demonstration, development and tests.

It speaks the wire protocol of COS (and its S3 dialect) over a loopback port, verifies signatures against its
own accounts, and keeps buckets, objects, versions and uploads in memory or on disk. It knows nothing of the
gateway and imports only `cos`.
"""
