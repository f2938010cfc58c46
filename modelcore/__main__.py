"""`python -m modelcore`: see modelcore/cli.py."""

import sys

from modelcore.cli import main

sys.exit(main())
