"""A small site for tests: `python small_site.py JSON` lives like `manage.py up`, with programs of a few lines.

JSON is a list of {"name", "script", and any other field of Program}.
"""

import asyncio
import json
import sys

from webapp.supervise.console import Console
from webapp.supervise.group import Patience
from webapp.supervise.program import Program
from webapp.supervise.site import live

QUICK = Patience(pauses_s=(0.01, 0.01, 0.01, 0.01), window_s=60, rest_s=60)

if __name__ == "__main__":
    parts = [
        Program(command=[sys.executable, "-u", "-c", part.pop("script")], remedy="Mend it.", **part)
        for part in json.loads(sys.argv[1])
    ]
    console = Console(sys.stdout, [part.name for part in parts])
    code = asyncio.run(live(parts, console, QUICK))
    console.close()
    sys.exit(code)
