"""Who may reach what: a row for each address and socket, and which of them there are."""

from __future__ import annotations

import re

from django.urls import URLPattern, URLResolver, get_resolver

from webapp.api.router import api

# What a row says of an address:
PUBLIC = "everybody may, and it shows nothing of anybody"
LIST = "everybody may, and sees her own, everybody's and what is shown to all"
MAKE = "everybody may make something of her own"
RUN = "whoever may see the run"
OWN_RUN = "the run's owner; others may see it where it is shown to all, not change it"
SHARE = "whoever has the link, while it is open"
OWN_SHARE = "whoever made the share"
MODEL = "whoever may see the model"
OWN_MODEL = "the model's owner"
ARRIVAL = "whoever brings it"
SWEEP = "whoever may see the sweep"
OWN_SWEEP = "the sweep's owner"
OF_CLASS = "the class's people and its teacher"
OWN_CLASS = "the class's teacher; its people are told that it is hers"
CLASS_PAGE = "the class's people and its teacher; anybody else is led to sign in"
JOIN = "whoever has the link, to see whose class it is; nothing of its people"
SIGNED_IN = "whoever signed in, and of her own alone; a script is told to sign in"
PERSON = "whoever signed in, and of her own alone"

ROWS = {
    "GET /api/v1/models": LIST,
    "GET /api/v1/models/{model_id}/lens": MODEL,
    "POST /api/v1/models/{model_id}/lens": OWN_MODEL,
    "POST /api/v1/models/{model_id}/lens/cancel": OWN_MODEL,
    "GET /api/v1/models/{model_id}": MODEL,
    "GET /api/v1/models/{model_id}/download": MODEL,
    "GET /api/v1/models/{model_id}/removal": OWN_MODEL,
    "PATCH /api/v1/models/{model_id}": OWN_MODEL,
    "DELETE /api/v1/models/{model_id}": OWN_MODEL,
    "GET /api/v1/library": LIST,
    "POST /api/v1/arrivals": MAKE,
    "POST /api/v1/imports": MAKE,
    "GET /api/v1/arrivals/{arrival_id}": ARRIVAL,
    "DELETE /api/v1/arrivals/{arrival_id}": ARRIVAL,
    "POST /api/v1/runs": MAKE,
    "GET /api/v1/runs": LIST,
    "GET /api/v1/runs/{run_id}": RUN,
    "PATCH /api/v1/runs/{run_id}": OWN_RUN,
    "DELETE /api/v1/runs/{run_id}": OWN_RUN,
    "GET /api/v1/runs/{run_id}/thumbnail": RUN,
    "GET /api/v1/runs/{run_id}/page": RUN,
    "GET /api/v1/runs/{run_id}/notebook": RUN,
    "GET /api/v1/runs/{run_id}/tree": RUN,
    "POST /api/v1/runs/{run_id}/cancel": OWN_RUN,
    "GET /api/v1/runs/{run_id}/maps/{site}/{head}": RUN,
    "GET /api/v1/runs/{run_id}/maps/{site}/{head}/totals": RUN,
    "GET /api/v1/runs/{run_id}/maps/{site}/{head}/floors": RUN,
    "GET /api/v1/runs/{run_id}/pairs/{site}/{head}": RUN,
    "GET /api/v1/runs/{run_id}/probabilities": RUN,
    "GET /api/v1/runs/{run_id}/lens": RUN,
    "GET /api/v1/comparisons/{a}/{b}": RUN,
    "GET /api/v1/comparisons/{a}/{b}/maps/{site}/{head}": RUN,
    "POST /api/v1/pictures": MAKE,
    "POST /api/v1/archives": MAKE,
    "POST /api/v1/trainings": MAKE,
    "GET /api/v1/trainings": LIST,
    "POST /api/v1/trainings/estimate": PUBLIC,
    "GET /api/v1/trainings/presets": PUBLIC,
    "GET /api/v1/trainings/{run_id}": RUN,
    "GET /api/v1/trainings/{run_id}/text": RUN,
    "POST /api/v1/trainings/{run_id}/orders": OWN_RUN,
    "POST /api/v1/trainings/{run_id}/go_on": OWN_RUN,
    "POST /api/v1/sweeps": MAKE,
    "POST /api/v1/sweeps/variants": PUBLIC,
    "GET /api/v1/sweeps": LIST,
    "GET /api/v1/sweeps/{sweep_id}": SWEEP,
    "POST /api/v1/sweeps/{sweep_id}/cancel": OWN_SWEEP,
    "POST /api/v1/shares": MAKE,
    "GET /api/v1/shares": LIST,
    "POST /api/v1/shares/{slug}/revoke": OWN_SHARE,
    "GET /api/v1/shares/{slug}": SHARE,
    "GET /api/v1/shares/{slug}/frames": SHARE,
    "GET /api/v1/shares/{slug}/maps/{site}/{head}": SHARE,
    "GET /api/v1/shares/{slug}/maps/{site}/{head}/totals": SHARE,
    "GET /api/v1/shares/{slug}/maps/{site}/{head}/floors": SHARE,
    "GET /api/v1/shares/{slug}/pairs/{site}/{head}": SHARE,
    "GET /api/v1/shares/{slug}/probabilities": SHARE,
    "GET /api/v1/shares/{slug}/second/frames": SHARE,
    "GET /api/v1/shares/{slug}/second/maps/{site}/{head}": SHARE,
    "GET /api/v1/shares/{slug}/second/maps/{site}/{head}/floors": SHARE,
    "GET /api/v1/shares/{slug}/comparison": SHARE,
    "GET /api/v1/shares/{slug}/comparison/maps/{site}/{head}": SHARE,
    "GET /api/v1/shares/{slug}/lens": SHARE,
    "POST /api/v1/shares/{slug}/copy": SHARE,
    "GET /api/v1/classes": SIGNED_IN,
    "POST /api/v1/classes": SIGNED_IN,
    "POST /api/v1/classes/join": SIGNED_IN,
    "GET /api/v1/classes/{class_id}": OF_CLASS,
    "DELETE /api/v1/classes/{class_id}": OWN_CLASS,
    "POST /api/v1/classes/{class_id}/leave": OF_CLASS,
    "POST /api/v1/classes/{class_id}/link": OWN_CLASS,
    "DELETE /api/v1/classes/{class_id}/link": OWN_CLASS,
    "GET /api/v1/classes/{class_id}/people": OWN_CLASS,
    "DELETE /api/v1/classes/{class_id}/people/{person_id}": OWN_CLASS,
    "GET /api/v1/classes/{class_id}/jobs": OWN_CLASS,
    "POST /api/v1/classes/{class_id}/jobs/{run_id}/cancel": OWN_CLASS,
    "GET /api/v1/openapi.json": PUBLIC,
    "GET /api/v1/docs": PUBLIC,
    "GET /": PUBLIC,
    "GET /train": PUBLIC,
    "GET /library": PUBLIC,
    "GET /runs": PUBLIC,
    "GET /runs/{run_id}": RUN,
    "GET /trainings/{run_id}": RUN,
    "GET /sweeps/{sweep_id}": SWEEP,
    "GET /s/{slug}": SHARE,
    "GET /embed/{slug}": SHARE,
    "GET /classes": PERSON,
    "GET /classes/{class_id}": CLASS_PAGE,
    "GET /join/{link}": JOIN,
    "GET /account": PERSON,
    "POST /account/tokens": PERSON,
    "POST /account/tokens/{token_id}/revoke": PERSON,
    "POST /account/export": PERSON,
    "GET /account/delete": PERSON,
    "GET /accounts/login/": PUBLIC,
    "GET /accounts/logout/": PUBLIC,
    "GET /accounts/signup/": PUBLIC,
    "GET /accounts/inactive/": PUBLIC,
    "GET /accounts/password/change/": PERSON,
    "GET /accounts/password/set/": PERSON,
    "GET /healthz": PUBLIC,
    "GET /readyz": PUBLIC,
    # To this machine or to a token, whoever asks (test_metrics).
    "GET /metrics": PUBLIC,
    "POST /api/v1/page-errors": PUBLIC,
}
SOCKETS = {"ws/runs/{run_id}": RUN, "ws/shares/{slug}": SHARE}

ADMIN = "admin/"
# What a person asks for who is not let in, or wants to leave.
OF_SIGNING_IN = {"admin/login/", "admin/logout/", "admin/jsi18n/"}


def addresses() -> set[str]:
    """Every address with its methods, as Django and the API know them; pages by GET, or POST where that is all."""
    schema = api.get_openapi_schema()
    known = {f"{method.upper()} {path}" for path, methods in schema["paths"].items() for method in methods}
    return known | {f"{_method(pattern)} /{path}" for path, pattern in patterns(get_resolver()) if _is_page(path)}


def patterns(resolver: URLResolver, before: str = "") -> list[tuple[str, URLPattern]]:
    found = []
    for pattern in resolver.url_patterns:
        route = before + braced(str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            found += patterns(pattern, route)
        else:
            found.append((route, pattern))
    return found


def braced(route: str) -> str:
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route)


def _is_page(path: str) -> bool:
    if path.startswith(ADMIN):
        return False  # All of them have one row: test_admin_is_for_staff.
    return not path.startswith("api/v1/") or path in ("api/v1/openapi.json", "api/v1/docs")


def _method(pattern: URLPattern) -> str:
    name = pattern.name or ""
    return "POST" if name in ("make-token", "revoke-token", "export-account") else "GET"
