"""Every refusal in one shape: {"error": {"code", "message", "field", "limit", "id"}}."""

from __future__ import annotations

import json
import logging
import secrets
from typing import Any

from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin
from ninja import NinjaAPI, Schema
from ninja.errors import HttpError, ValidationError

from webapp.library.error import LibraryError
from webapp.runs.submit import InvalidRequestError

log = logging.getLogger(__name__)


class ErrorDetail(Schema):
    """What was wrong, what is allowed, what to do. `id` finds the request in the site's log."""

    code: str
    message: str
    field: str | None
    limit: int | None
    id: str | None


class ErrorAnswer(Schema):
    error: ErrorDetail


class ApiError(Exception):
    """A refusal with its status."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        field: str | None = None,
        limit: int | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.field, self.limit = status, code, message, field, limit
        self.retry_after_s = retry_after_s


def install(api: NinjaAPI) -> None:
    """Have every exception of a request answered in this shape."""

    @api.exception_handler(ApiError)
    def refused(request: HttpRequest, error: ApiError) -> HttpResponse:
        answer = _answer(error.status, error.code, error.message, error.field, error.limit)
        if error.retry_after_s is not None:
            answer["Retry-After"] = str(error.retry_after_s)
        return answer

    @api.exception_handler(LibraryError)
    def not_brought(request: HttpRequest, error: LibraryError) -> HttpResponse:
        return _answer(error.status, error.code, error.message, error.field, error.limit)

    @api.exception_handler(InvalidRequestError)
    def invalid(request: HttpRequest, error: InvalidRequestError) -> HttpResponse:
        return _answer(422, error.code, error.message, error.field, error.limit)

    @api.exception_handler(ValidationError)
    def malformed(request: HttpRequest, error: ValidationError) -> HttpResponse:
        first = error.errors[0]
        field = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path", "payload"))
        return _answer(422, "bad_field", f"{field or 'The body'}: {first['msg']}."[:300], field[:80] or None)

    @api.exception_handler(HttpError)
    def plain(request: HttpRequest, error: HttpError) -> HttpResponse:
        if isinstance(error.__cause__, ApiError):  # Ninja wraps what the parser of the body raises.
            return refused(request, error.__cause__)
        return _answer(error.status_code, "bad_request", str(error))

    @api.exception_handler(Http404)
    def missing(request: HttpRequest, error: Http404) -> HttpResponse:
        return _answer(404, "not_found", "There is nothing at this address.")

    @api.exception_handler(DatabaseError)
    @api.exception_handler(OSError)
    def away(request: HttpRequest, error: Exception) -> HttpResponse:
        id_ = secrets.token_hex(8)
        log.error("request %s: %s %s: %s", id_, request.method, request.path, error)
        message = "The site cannot write or read what it keeps: its disk may be full. Try again in a moment."
        return _answer(503, "storage_away", message, id_=id_)

    @api.exception_handler(Exception)
    def broken(request: HttpRequest, error: Exception) -> HttpResponse:
        id_ = secrets.token_hex(8)
        log.exception("request %s: %s %s", id_, request.method, request.path, exc_info=error)
        return _answer(500, "internal", "The site failed on this request. Its log says why, under this id.", id_=id_)


class ErrorShape(MiddlewareMixin):
    """Gives this shape to what is refused before the API is asked: a wrong address, method or host."""

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        typed = response.headers.get("Content-Type", "")
        if not request.path.startswith("/api/") or response.status_code < 400 or typed.startswith("application/json"):
            return response
        match response.status_code:
            case 404:
                answer = _answer(404, "not_found", "There is nothing at this address. See /api/v1/openapi.json.")
            case 405:
                allowed = response.headers["Allow"]
                answer = _answer(405, "wrong_method", f"This address takes {allowed}, not {request.method}.")
                answer["Allow"] = allowed
            case status:
                answer = _answer(status, "bad_request", "This request cannot be read. Check its headers.")
        return answer


def _answer(
    status: int,
    code: str,
    message: str,
    field: str | None = None,
    limit: int | None = None,
    id_: str | None = None,
) -> HttpResponse:
    error: dict[str, Any] = {"code": code, "message": message, "field": field, "limit": limit, "id": id_}
    response = HttpResponse(json.dumps({"error": error}), status=status, content_type="application/json")
    if status in (503, 507):
        response["Retry-After"] = "5" if status == 503 else "60"
    return response
