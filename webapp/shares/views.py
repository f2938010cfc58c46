"""The page of a share, whole or embedded: the explorer on what was kept, for whoever has the link."""

from __future__ import annotations

import json
from typing import Any

from csp.decorators import csp_replace
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import urlencode
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.http import require_http_methods, require_safe

from webapp.accounts.ownership import person_of
from webapp.shares import first_heads
from webapp.shares.access import Closed, TooManyTriesError, enter, remember, try_password
from webapp.shares.models import ShareLink
from webapp.shares.privacy import with_form

TOLD = ("kind", "model", "text", "target", "text_pair", "picture", "generate", "error")
"""What the page knows of the run before its frames are here; by asking for it the first heads would come later."""

PANELS = ("heads", "map", "text", "next")


@require_http_methods(["GET", "HEAD", "POST"])
def share(request: HttpRequest, slug: str) -> HttpResponse:
    """GET shows it; POST gives its password."""
    person = person_of(request)
    try:
        found = enter(slug, person, request.session)
        if request.method == "POST":
            asked = ShareLink.objects.filter(slug=slug).first() if found is Closed.PASSWORD else None
            if asked is None:
                return redirect("share", slug)
            if not try_password(asked, request.POST.get("password", "")[:200]):
                return _ask_password(request, "wrong", status=403)
            remember(asked, request.session)
            return redirect("share", slug)
    except TooManyTriesError:
        return _ask_password(request, "wait", status=429)
    match found:
        case Closed.GONE:
            return gone(request)
        case Closed.SIGN_IN:
            return redirect(f"/accounts/login/?{urlencode({'next': f'/s/{slug}'})}")
        case Closed.PASSWORD:
            return _ask_password(request, "")
        case opened:
            if opened.owner_id is None or person is None or opened.owner_id != person.pk:
                opened.count_opening()
            return _page(request, opened, "explore.html", first_heads=first_heads.read(opened.folder))


@require_safe
@xframe_options_exempt
@csp_replace({"frame-ancestors": ["*"]})  # type: ignore[arg-type]  # its stubs know views without arguments alone
def embed(request: HttpRequest, slug: str) -> HttpResponse:
    """In a frame of any site. A browser sends no cookie from there, so only what asks for nothing can be embedded."""
    found = enter(slug, None, {})
    if isinstance(found, Closed):
        return gone(request)
    found.count_opening()
    asked = request.GET.get("panels", "map,text").split(",")
    panels = " ".join(panel for panel in PANELS if panel in asked) or "map"
    return _page(request, found, "embed.html", panels=panels)


def gone(request: HttpRequest) -> HttpResponse:
    """One answer for what is unknown, withdrawn and over."""
    return render(request, "share_gone.html", status=404)


def _page(request: HttpRequest, share: ShareLink, template: str, **more: str) -> HttpResponse:
    told = {name: share.record[name] for name in TOLD}
    shared: dict[str, Any] = {
        "slug": share.slug,
        "title": share.title,
        "note": share.note,
        "view": share.view,
        "run": told,
    }
    shared["shown_model"] = share.model
    shared["lens"] = share.lens
    shared["pairs"] = share.pairs or []
    if share.second:
        record = share.second["record"]
        shared["second"] = {name: record[name] for name in TOLD}
        shared["second_model"] = share.second["model"]
    values = {"shared": json.dumps(shared), "slug": share.slug, "has_second": share.second is not None, **more}
    values |= {"run_id": "", "plotly_url": settings.PLOTLY_URL}
    return render(request, template, values)


def _ask_password(request: HttpRequest, problem: str, status: int = 200) -> HttpResponse:
    return with_form(render(request, "share_password.html", {"problem": problem}, status=status))
