"""Routes of the admin port.

| path       | answers                                                                             |
|------------|-------------------------------------------------------------------------------------|
| `/healthz` | 200 while the process runs                                                          |
| `/readyz`  | 200 when it may be sent requests, 503 otherwise; `?verbose` names each check        |
| `/metrics` | Prometheus text format                                                              |
| `/api/v1`  | the admin API (`gateway.admin.api`): problem+json, admin tokens                      |
"""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from gateway.admin.crew import Crew


def admin_app(*, crew: Crew, api: ASGIApp) -> Starlette:
    """The admin port's application, `api` mounted at `/api/v1`."""

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(request: Request) -> Response:
        current = await crew.checks()
        ready = all(check.ready for check in current)
        status = 200 if ready else 503
        if "verbose" not in request.query_params:
            return PlainTextResponse("ready\n" if ready else "not ready\n", status_code=status)
        described = {check.name: {"ready": check.ready, "detail": check.detail} for check in current}
        return JSONResponse({"ready": ready, "checks": described}, status_code=status)

    async def metrics(_: Request) -> Response:
        return Response(await crew.metrics(), media_type=CONTENT_TYPE_LATEST)

    return Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", metrics),
            Mount("/api/v1", app=api),
        ]
    )
