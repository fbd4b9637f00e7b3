"""What each worker has to itself: its share of the limits, and an audit file that only it writes."""

from __future__ import annotations

from gateway.audit_files import worker_file
from gateway.settings import Settings

_SHARED_LIMITS = ("max_in_flight", "max_in_flight_per_principal", "max_connections", "max_connections_per_address")


def settings_of_worker(settings: Settings, number: int) -> Settings:
    """The settings for one of `settings.workers`: limits divided, rounded up.

    Workers share nothing on a request's path, so a limit of the whole gateway is only met where each keeps to its part.
    """
    count = settings.workers
    data = {name: -(-getattr(settings.data, name) // count) for name in _SHARED_LIMITS}
    connections = -(-settings.upstream.connections_per_origin // count)
    return settings.model_copy(
        update={
            "data": settings.data.model_copy(update=data),
            "upstream": settings.upstream.model_copy(update={"connections_per_origin": connections}),
            "audit": settings.audit.model_copy(update={"path": worker_file(settings.audit.path, number)}),
        }
    )
