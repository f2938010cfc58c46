"""Numbers of the fleet's page with their units, which are the same in every language."""

from __future__ import annotations

from django import template

register = template.Library()


@register.filter
def size(size_bytes: float | None) -> str:
    if size_bytes is None:
        return ""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size_bytes >= factor:
            return f"{size_bytes / factor:.3g} {unit}"
    return f"{size_bytes:.0f} B"


@register.filter
def span(seconds: float | None) -> str:
    if seconds is None:
        return ""
    for unit, factor in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= factor:
            return f"{seconds / factor:.2g} {unit}" if seconds < 10 * factor else f"{seconds / factor:.0f} {unit}"
    return f"{seconds:.0f} s"


@register.filter
def share(part: float | None) -> str:
    return "" if part is None else f"{100 * part:.0f} %"
