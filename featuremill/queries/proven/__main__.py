"""Write the page about what is proven: `python -m featuremill.queries.proven docs/functions.md`."""

from __future__ import annotations

import sys
from pathlib import Path

from featuremill.queries.proven import render_markdown

Path(sys.argv[1]).write_text(render_markdown(), encoding="utf-8")
