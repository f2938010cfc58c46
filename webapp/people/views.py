"""One's account: what one may use, keys for scripts, taking one's data along, leaving. And the page of one's runs."""

from __future__ import annotations

from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from webapp.accounts.models import ApiToken
from webapp.accounts.ownership import person_of
from webapp.people import belongings
from webapp.people.limits import limits_of, shown, use_of

MOST_TOKENS = 50


@require_safe
@login_required
def account(request: HttpRequest) -> HttpResponse:
    return _account(request)


@require_POST
@login_required
def make_token(request: HttpRequest) -> HttpResponse:
    """Shows the new token's text, this once."""
    person = person_of(request)
    assert person is not None
    scopes = [scope for scope in request.POST.getlist("scopes") if scope in ApiToken.Scope.values]
    name = request.POST.get("name", "").strip()[:80]
    if not name or not scopes:
        return _account(request, problem="token", status=422)
    if person.tokens.count() >= MOST_TOKENS:
        return _account(request, problem="tokens", status=422)
    _, text = ApiToken.make(person, name, scopes)
    return _account(request, new_token=text)


@require_POST
@login_required
def revoke_token(request: HttpRequest, token_id: int) -> HttpResponse:
    ApiToken.objects.filter(pk=token_id, person=person_of(request)).delete()
    return redirect("account")


@require_POST
@login_required
def export(request: HttpRequest) -> HttpResponse:
    """By POST: what takes a while is not done because another page has a link to it."""
    person = person_of(request)
    assert person is not None
    response = HttpResponse(belongings.export(person), content_type="application/zip")
    response["Content-Disposition"] = 'attachment; filename="headlight.zip"'
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def delete(request: HttpRequest) -> HttpResponse:
    """Asks for the password again: a page left open on a shared machine deletes nothing."""
    person = person_of(request)
    assert person is not None
    if request.method != "POST":
        return render(request, "people/delete.html")
    if not person.check_password(request.POST.get("password", "")):
        return render(request, "people/delete.html", {"problem": True}, status=403)
    logout(request)
    belongings.delete_person(person)
    return render(request, "people/deleted.html")


@require_safe
def runs(request: HttpRequest) -> HttpResponse:
    response = render(request, "runs.html")
    response["Cache-Control"] = "no-store"
    return response


def _account(request: HttpRequest, status: int = 200, **more: str) -> HttpResponse:
    person = person_of(request)
    assert person is not None
    told = {
        "limits": shown(limits_of(person), use_of(request)),
        "tokens": person.tokens.all(),
        "scopes": ApiToken.Scope.values,
        **more,
    }
    return render(request, "people/account.html", told, status=status)
