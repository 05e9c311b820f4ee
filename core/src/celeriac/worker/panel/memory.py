"""Commands about the memory of the worker's main process."""

from __future__ import annotations

import os
import tempfile
from collections import deque
from typing import Any, Final

from celeriac.app.names import symbol
from celeriac.worker.panel.registry import PanelState, inspect_command

#: Samples that are kept: what `memsample` has seen, in bytes, the oldest first.
_samples: Final[deque[int]] = deque(maxlen=1000)


@inspect_command()
def memsample(state: PanelState, **_: Any) -> str:
    """Note how much memory the worker's main process uses."""
    _samples.append(_resident())
    return _shown(_samples[-1])


@inspect_command(args=[("samples", int)], signature="[n_samples=10]")
def memdump(state: PanelState, samples: int = 10, **_: Any) -> str:
    """What memsample has noted, and what is used now."""
    noted = list(_samples)
    step = max(1, -(-len(noted) // max(1, samples)))
    lines = [f"- rss (sample): {_shown(size)}" for size in noted[::step]]
    return "\n".join([*lines, f"- rss (current): {_shown(_resident())}."])


@inspect_command(
    args=[("type", str), ("num", int), ("max_depth", int)],
    signature="[object_type=Request] [num=200 [max_depth=10]]",
)
def objgraph(state: PanelState, num: int = 200, max_depth: int = 10, type: str = "Request", **_: Any) -> dict[str, str]:
    """Draw who holds the objects of a type; needs the package objgraph."""
    try:
        # Nothing that the kernel needs: whoever asks for the picture installs what draws it.
        by_type, show_backrefs = symbol("objgraph:by_type"), symbol("objgraph:show_backrefs")
    except ImportError as error:
        raise ImportError("Requires the objgraph library: pip install objgraph") from error
    found = by_type(type)[:num]
    handle, path = tempfile.mkstemp(prefix=f"celeriac-{os.getpid()}-", suffix=".dot")
    os.close(handle)
    show_backrefs(found, max_depth=max_depth, filename=path)
    return {"filename": path}


def _resident() -> int:
    """Bytes that this process has in memory."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:  # another system: then the most that it ever had
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _shown(size: int) -> str:
    return f"{size / 2**20:.2f}MB"
