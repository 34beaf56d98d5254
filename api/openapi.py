"""Describe the HTTP contract as an OpenAPI 3.1 document."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.answers import Problem
from api.problems import MEDIA_TYPE

SECURITY_SCHEME = "ApiKey"

PROBLEMS: Mapping[int, str] = {
    400: "Malformed: the body is not JSON, a path parameter, the transaction or the message cannot be, or the network is unknown",
    401: "The API key is missing or not valid",
    403: "The policy does not let this account sign this",
    404: "There is no such wallet or address",
    413: "The body has more than 1 MiB",
    415: "The body is not declared as `application/json`",
    409: "The same `Idempotency-Key` is being worked on (see `Retry-After`), or another transaction has this nonce",
    422: "A field or query parameter is missing, unknown, or outside its range, or the `Idempotency-Key` is another's",
    429: "Too many requests; see `Retry-After`",
    500: "A fault of the service, or a stored ciphertext that does not decrypt; nothing was released",
    503: "Something the service needs is away; see `Retry-After`. Nothing was released",
}

IDEMPOTENCY_KEY: Mapping[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": "Any text of yours: the request is carried out once, however often it is sent with it",
    "example": "8e03978e-40d5-43e8-bc93-6894a57f9324",
}

_DESCRIPTION = """\
Keeps HD wallets, gives out deposit addresses, and signs transactions that nodes accept.

Send your API key as `X-Api-Key`. Every answer carries `X-Request-ID`, yours if you send one. Errors are problem documents (RFC 9457);
`type` is stable. Unknown fields and query parameters are refused.

A POST with an `Idempotency-Key` of your choice is carried out once, however often you send it; the same answer comes again, with
`Idempotency-Replayed: true`. Answers tell what is left of your limit in `RateLimit` and `RateLimit-Policy`."""

_EXAMPLE_PROBLEM = {
    "type": "urn:crypto-wallets:problem:wallet-not-found",
    "title": "Wallet not found",
    "status": 404,
    "detail": "no wallet has this id",
    "request_id": "7d8f0f0c-4b0e-4f5c-9d36-1f2d4f1c9a53",
}


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the problem documents that a call may answer with."""
    return {status: _problem_response(PROBLEMS[status]) for status in statuses}


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the document of all routes of `app`."""
    document = get_openapi(title=app.title, version=app.version, description=_DESCRIPTION, routes=app.routes, tags=_tags())
    components = document.setdefault("components", {})
    components["securitySchemes"] = {SECURITY_SCHEME: {"type": "apiKey", "in": "header", "name": "X-Api-Key"}}
    components.setdefault("schemas", {})["Problem"] = Problem.model_json_schema()
    return document


def _problem_response(description: str) -> dict[str, Any]:
    return {
        "description": description,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": _EXAMPLE_PROBLEM}},
    }


def _tags() -> list[dict[str, Any]]:
    return [
        {"name": "wallets", "description": "Create, take over and find wallets"},
        {"name": "accounts", "description": "Addresses and signatures of a wallet's accounts"},
        {"name": "transactions", "description": "What a transaction does, before anybody signs it"},
        {"name": "admin", "description": "What an operator does in an emergency"},
        {"name": "operations", "description": "Health and metrics; no API key is needed"},
    ]
