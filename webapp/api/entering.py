"""The share that a request names, for whoever may see it; every address of a share begins here."""

from __future__ import annotations

from django.http import HttpRequest

from webapp.accounts.ownership import person_of
from webapp.api.errors import ApiError
from webapp.shares.access import WRONG_FOR_S, Closed, TooManyTriesError, enter
from webapp.shares.models import ShareLink


def entered(request: HttpRequest, slug: str) -> ShareLink:
    """Raises: ApiError, one and the same for what is unknown, withdrawn and over."""
    try:
        found = enter(slug, person_of(request), request.session, request.headers.get("Share-Password"))
    except TooManyTriesError:
        raise ApiError(
            429, "too_many_tries", "The password was wrong too often. Wait some minutes.", retry_after_s=WRONG_FOR_S
        ) from None
    match found:
        case Closed.GONE:
            raise gone()
        case Closed.SIGN_IN:
            raise ApiError(401, "sign_in_needed", "This share is for people who sign in.")
        case Closed.PASSWORD:
            raise ApiError(401, "password_needed", "This share asks for a password: send it as Share-Password.")
        case share:
            return share


def gone() -> ApiError:
    return ApiError(
        404, "unknown_share", "This link leads nowhere. It may have expired, been withdrawn, or been cut short."
    )


def not_kept(what: str, field: str | None = None) -> ApiError:
    """`what` is a sentence that says what the share has, or has not."""
    return ApiError(409, "not_in_share", f"{what} Open a copy to read more.", field=field)
