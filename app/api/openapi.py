"""What the OpenAPI document says beyond what FastAPI finds in the routes."""

from collections.abc import Set
from typing import Any

from fastapi import FastAPI

from app.api import predict
from app.api.problems import Problem
from app.api.queries import query_parameters

KEY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}


def complete_openapi(app: FastAPI, open_tags: Set[str]) -> None:
    """Describe problem documents once, and not FastAPI's own kind of 422; say how the key is sent, and a query.

    Args:
        app: the service, with all routes; the document is made when somebody asks for it first.
        open_tags: the tags of routes that ask for no key.
    """
    make_openapi = app.openapi

    def openapi() -> dict[str, Any]:
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
