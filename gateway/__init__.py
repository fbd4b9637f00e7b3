"""The running service: one pipeline, the ports it needs, and what implements them."""
