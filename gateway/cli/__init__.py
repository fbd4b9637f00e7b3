"""The command line: `cos-gateway`. One file per command; what a command needs is imported when it runs."""
