"""The HTTP/1.1 server of the data port: listening, connections, framing, deadlines, responses."""
