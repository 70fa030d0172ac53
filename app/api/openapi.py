"""Additions to FastAPI's OpenAPI document."""

import threading
from collections.abc import Set
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.api import predict
from app.api.problems import Problem
from app.api.queries import query_parameters
from app.inference.batcher import in_thread

KEY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}


def complete_openapi(app: FastAPI, open_tags: Set[str]) -> None:
    """Describe problem documents instead of FastAPI's 422 body, the key schemes and the query parameters.

    Args:
        app: the service, with all routes; the document is created on the first request for it.
        open_tags: tags of the routes that need no key.
    """
    make_openapi, lock = app.openapi, threading.Lock()

    def openapi() -> dict[str, Any]:
        with lock:  # another thread must not see an incomplete document
            if not app.openapi_schema:
                document = make_openapi()
                schemas = document["components"]["schemas"]
                schemas["Problem"] = Problem.model_json_schema()
                for unused in ("HTTPValidationError", "ValidationError"):
                    schemas.pop(unused, None)
                document["components"]["securitySchemes"] = KEY_SCHEMES
                for path in document["paths"].values():
                    for operation in path.values():
                        if not open_tags & set(operation["tags"]):
                            operation["security"] = [{name: []} for name in KEY_SCHEMES]
                        if predict.TAG in operation["tags"]:
                            operation["parameters"] = query_parameters()
            return make_openapi()

    app.openapi = openapi  # type: ignore[method-assign]
    _make_in_thread(app)


def _make_in_thread(app: FastAPI) -> None:
    """Create the document in a thread before FastAPI's route returns it: it takes 50 ms."""
    routes = app.router.routes
    (route,) = (route for route in routes if isinstance(route, Route) and route.path == app.openapi_url)

    async def document(request: Request) -> Response:
        await in_thread(app.openapi)
        response: Response = await route.endpoint(request)
        return response

    routes[routes.index(route)] = Route(route.path, document, include_in_schema=False)
