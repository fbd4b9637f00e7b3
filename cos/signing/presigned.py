"""Adding parameters to an upstream request, in its parsed query and in its target alike."""

from __future__ import annotations

from msgspec.structs import replace

from cos.rewrite import UpstreamRequest
from cos.target import Parameter, parameters_apart, render_query


def with_parameters(request: UpstreamRequest, added: tuple[Parameter, ...]) -> UpstreamRequest:
    """The request with further query parameters at the end."""
    joint = b"&" if b"?" in request.target else b"?"
    names, values = parameters_apart(added)
    return replace(
        request,
        query_names=request.query_names + names,
        query_values=request.query_values + values,
        target=request.target + joint + render_query(added),
    )
