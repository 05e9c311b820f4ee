"""`import celeriac` is free: it scans nothing and loads nothing that a program may not need."""

from __future__ import annotations

import json
import subprocess
import sys

PROBE = """
import sys
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
before = set(sys.modules)
import celeriac
loaded = sorted(set(sys.modules) - before)
scanned = [path for path in opened if path.endswith(("entry_points.txt", "METADATA", "PKG-INFO"))]
import json
print(json.dumps([loaded, scanned]))
"""

HEAVY = {
    "asyncio",
    "click",
    "importlib.metadata",
    "importlib_metadata",
    "kombu",
    "multiprocessing",
    "pluggy",
    "sqlite3",
    "stevedore",
}


def test_importing_celeriac_scans_no_entry_points_and_loads_no_library():
    # -S would hide installed distributions; -P only keeps the current directory out.
    done = subprocess.run([sys.executable, "-P", "-c", PROBE], capture_output=True, text=True, check=True)
    loaded, scanned = json.loads(done.stdout)
    assert "celeriac" in loaded
    assert HEAVY & set(loaded) == set()
    assert scanned == []
