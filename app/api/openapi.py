"""Additions to FastAPI's OpenAPI document."""

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
    """Describe problem documents instead of FastAPI's 422 body, the key schemes and the query parameters.

    Args:
        app: the service, with all routes; the document is created on the first request for it.
        open_tags: tags of the routes that need no key.
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
