"""The API itself: what all its parts share."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest
from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema
from ninja.parser import Parser

from webapp.api import (
    archives,
    arrivals,
    checkpoints,
    classes,
    comparisons,
    errors,
    estimates,
    exports,
    history,
    lens,
    page_errors,
    pictures,
    readings,
    shared_readings,
    shares,
    sweeps,
    trainings,
    tuning,
)
from webapp.api.errors import PROBLEM, ApiError


class JsonParser(Parser):
    """Takes JSON and nothing else, and says so."""

    def parse_body(self, request: HttpRequest) -> Any:
        if request.content_type != "application/json":
            raise ApiError(
                415,
                "json_expected",
                f"This address takes application/json, not {request.content_type or 'a body without a type'}.",
            )
        try:
            return json.loads(request.body)
        except (ValueError, RecursionError):
            raise ApiError(400, "bad_json", "The body is not JSON in UTF-8.") from None


class Described(NinjaAPI):
    """Says in its description what webapp.api.errors and webapp.accounts.tokens do for every address alike."""

    def get_openapi_schema(self, *arguments: Any, **named: Any) -> OpenAPISchema:
        schema = super().get_openapi_schema(*arguments, **named)
        schema["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        schema["security"] = [{"token": []}, {}]
        for address in schema["paths"].values():
            for operation in address.values():
                responses = operation["responses"]
                for status in [status for status in responses if int(status) >= 400]:
                    content = responses[status].get("content", {})
                    if "application/json" in content:
                        responses[status]["content"] = {PROBLEM: content["application/json"]}
        return schema


api = Described(
    title="Headlight",
    version="1",
    description=(
        "Run a Transformer on a text, and read what every attention head does. A script signs in by "
        "`Authorization: Bearer TOKEN` (made at /account), where the site asks for it. A creation with an "
        "`Idempotency-Key` can be sent again. Refusals are problem details (RFC 9457)."
    ),
    parser=JsonParser(),
    openapi_url="openapi.json",
    docs_url=None,
)
errors.install(api)
api.add_router("", checkpoints.router)
api.add_router("", arrivals.router)
api.add_router("", history.router)  # And with it those of webapp.api.runs: an address has one router.
api.add_router("", exports.router)
api.add_router("", page_errors.router)
api.add_router("", pictures.router)
api.add_router("", readings.router)
api.add_router("", lens.router)
api.add_router("", tuning.router)
# Before the trainings, one of which would else be called "estimate".
api.add_router("", estimates.router)
api.add_router("", sweeps.router)
api.add_router("", trainings.router)
api.add_router("", archives.router)
api.add_router("", comparisons.router)
api.add_router("", classes.router)
api.add_router("", shares.router)
api.add_router("", shared_readings.router)
