"""Browser code that comes inside Python packages: `python -m webapp.supervise.vendored static/dist` puts it there.

Plotly is large and loaded only by the pages that draw curves, so it stays a script of its own, beside Vite's bundle.
Swagger, which django-ninja brings, is the page to try the API.
"""

from __future__ import annotations

import importlib.resources
import importlib.util
import shutil
import sys
from importlib.metadata import version
from pathlib import Path


def copy_plotly(dist: Path) -> Path:
    """The name carries the version, so browsers may keep it for ever."""
    place = dist / "vendor" / f"plotly-{version('plotly')}.min.js"
    place.parent.mkdir(parents=True, exist_ok=True)
    with importlib.resources.as_file(importlib.resources.files("plotly") / "package_data" / "plotly.min.js") as script:
        shutil.copyfile(script, place)
    return place


def copy_swagger(dist: Path) -> list[Path]:
    """Under names with the version of the package, for the same reason."""
    # By its place: importing it asks for Django's settings.
    found = importlib.util.find_spec("ninja")
    assert found is not None and found.origin is not None
    source = Path(found.origin).parent / "static" / "ninja"
    places = []
    for part in ("-bundle.js", "-init.js", ".css"):
        place = dist / "vendor" / f"swagger-ui-{version('django-ninja')}{part}"
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / f"swagger-ui{part}", place)
        places.append(place)
    return places


def copy_admin(dist: Path) -> Path:
    """Style and scripts of Django's admin, where its templates look for them."""
    place = dist / "admin"
    with importlib.resources.as_file(importlib.resources.files("django.contrib.admin") / "static" / "admin") as files:
        shutil.copytree(files, place, dirs_exist_ok=True)
    return place


if __name__ == "__main__":
    copy_plotly(Path(sys.argv[1]))
    copy_swagger(Path(sys.argv[1]))
    copy_admin(Path(sys.argv[1]))
