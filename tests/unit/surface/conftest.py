"""Makes `celery_surface` importable, which is a program as well (``make surface``)."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
