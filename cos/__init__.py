"""The COS and S3 wire protocols, without I/O.

Nothing here opens a socket, reads a clock or keeps state: time and nonces are arguments. What does not
parse to exactly one meaning raises `cos.errors.COSError`, and nothing else is ever raised on bad input.
"""
