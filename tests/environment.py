"""Where tests live: a data folder and a broker of their own. Loaded by pytest (-p) before Django reads its settings."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

DATA = Path(tempfile.mkdtemp(prefix="headlight-tests-"))
BROKER_SOCKET = DATA / "valkey.sock"

os.environ["HEADLIGHT_DATA"] = str(DATA)
os.environ["REDIS_URL"] = f"unix://{BROKER_SOCKET}"
os.environ.pop("DATABASE_URL", None)
# Transactional tests with a live server touch the ORM from its event loop's thread.
os.environ.setdefault("OMP_NUM_THREADS", "1")

atexit.register(shutil.rmtree, DATA, ignore_errors=True)
