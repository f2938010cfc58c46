"""Every refusal in one shape: problem details (RFC 9457), and in them "error": code, message, field, limit, id."""

from __future__ import annotations

import json
import logging
import secrets
from http import HTTPStatus
from typing import Any

from django import db
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin
from ninja import NinjaAPI, Schema
from ninja.errors import HttpError, ValidationError

from webapp.library.error import LibraryError
from webapp.people.limits import LimitError
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
    """`type` names the kind, `title` is the status in words; `detail` and `error.message` are one sentence."""

    type: str
    title: str
    status: int
    detail: str
    error: ErrorDetail


PROBLEM = "application/problem+json"


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
        answer = refusal(error.status, error.code, error.message, error.field, error.limit)
        if error.retry_after_s is not None:
            answer["Retry-After"] = str(error.retry_after_s)
        return answer

    @api.exception_handler(LimitError)
    def limited(request: HttpRequest, error: LimitError) -> HttpResponse:
        answer = refusal(429, error.code, error.message, limit=error.limit)
        if error.retry_after_s is not None:
            answer["Retry-After"] = str(error.retry_after_s)
        return answer

    @api.exception_handler(LibraryError)
    def not_brought(request: HttpRequest, error: LibraryError) -> HttpResponse:
        return refusal(error.status, error.code, error.message, error.field, error.limit)

    @api.exception_handler(InvalidRequestError)
    def invalid(request: HttpRequest, error: InvalidRequestError) -> HttpResponse:
        return refusal(422, error.code, error.message, error.field, error.limit)

    @api.exception_handler(ValidationError)
    def malformed(request: HttpRequest, error: ValidationError) -> HttpResponse:
        first = error.errors[0]
        field = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path", "payload"))
        return refusal(422, "bad_field", f"{field or 'The body'}: {first['msg']}."[:300], field[:80] or None)

    @api.exception_handler(HttpError)
    def plain(request: HttpRequest, error: HttpError) -> HttpResponse:
        if isinstance(error.__cause__, ApiError):  # Ninja wraps what the parser of the body raises.
            return refused(request, error.__cause__)
        return refusal(error.status_code, "bad_request", str(error))

    @api.exception_handler(Http404)
    def missing(request: HttpRequest, error: Http404) -> HttpResponse:
        return refusal(404, "not_found", "There is nothing at this address.")

    @api.exception_handler(Exception)
    def site_failed(request: HttpRequest, error: Exception) -> HttpResponse:
        return failed(request, error, log_failure(request, error))


def is_storage_away(error: BaseException | None) -> bool:
    """Whether the site failed for what it keeps: the database is away, a disk is full. That passes by itself."""
    return isinstance(error, db.Error | OSError)


def log_failure(request: HttpRequest, error: BaseException | None) -> str:
    """Writes down what the site failed on, and returns the id under which that is found."""
    id_ = secrets.token_hex(8)
    if is_storage_away(error):
        log.error("request %s: %s %s: %s", id_, request.method, request.path, error)
    else:
        log.error("request %s: %s %s", id_, request.method, request.path, exc_info=error)
    return id_


def failed(request: HttpRequest, error: BaseException | None, id_: str) -> HttpResponse:
    """A failure of the site's own, in the API's shape."""
    if is_storage_away(error):
        message = "The site cannot write or read what it keeps: its disk may be full. Try again in a moment."
        return refusal(503, "storage_away", message, id_=id_)
    return refusal(500, "internal", "The site failed on this request. Its log says why, under this id.", id_=id_)


class ErrorShape(MiddlewareMixin):
    """Gives this shape to what is refused before the API is asked: a wrong address, method or host."""

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        typed = response.headers.get("Content-Type", "")
        if not request.path.startswith("/api/") or response.status_code < 400 or typed.startswith(PROBLEM):
            return response
        match response.status_code:
            case 401 if response.headers.get("X-Refusal") == "bad_token":
                answer = refusal(401, "bad_token", "This token is unknown or was revoked. Make one at /account.")
                answer["WWW-Authenticate"] = "Bearer"
            case 401:
                answer = refusal(401, "sign_in_needed", "Sign in first, or send a token: Authorization: Bearer …")
                answer["WWW-Authenticate"] = "Bearer"
            case 403 if response.headers.get("X-Refusal") == "scope":
                answer = refusal(403, "token_scope", "This token may not do that. Make one with the scope for it.")
            case 404:
                answer = refusal(404, "not_found", "There is nothing at this address. See /api/v1/openapi.json.")
            case 405:
                # Ninja keeps them in a set, whose order changes with every process.
                allowed = ", ".join(sorted(response.headers["Allow"].split(", ")))
                answer = refusal(405, "wrong_method", f"This address takes {allowed}, not {request.method}.")
                answer["Allow"] = allowed
            case status:
                answer = refusal(status, "bad_request", "This request cannot be read. Check its headers.")
        return answer


def problem(
    status: int,
    code: str,
    message: str,
    field: str | None = None,
    limit: int | None = None,
    id_: str | None = None,
) -> dict[str, Any]:
    return {
        "type": f"urn:headlight:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": message,
        "error": {"code": code, "message": message, "field": field, "limit": limit, "id": id_},
    }


def refusal(status: int, code: str, message: str, *more: Any, **named: Any) -> HttpResponse:
    """`more` and `named` as in `problem`."""
    body = json.dumps(problem(status, code, message, *more, **named))
    response = HttpResponse(body, status=status, content_type=PROBLEM)
    if status in (503, 507):
        response["Retry-After"] = "5" if status == 503 else "60"
    return response
