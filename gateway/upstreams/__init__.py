"""The way to COS: one adapter for the `Upstream` port over two transports."""

from gateway.upstreams.http import HttpUpstream
from gateway.upstreams.settings import PoolLimits, Timeouts, TransportKind, UpstreamSettings

__all__ = ["HttpUpstream", "PoolLimits", "Timeouts", "TransportKind", "UpstreamSettings"]
