"""The kernel as a plugin of itself: asked last, it answers every resolution hook with the entry point of that name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from celeriac.plugin.markers import hookimpl


class KernelPlugin:
    """`entry_point` finds the driver that a distribution offers under a kind and a name, None where there is none."""

    def __init__(self, entry_point: Callable[[str, str], Any], version: str) -> None:
        self._entry_point = entry_point
        self._version = version

    @hookimpl(trylast=True)
    def celeriac_broker(self, scheme: str) -> Any:
        """Answer with the entry point."""
        return self._entry_point("broker", scheme)

    @hookimpl(trylast=True)
    def celeriac_backend(self, scheme: str) -> Any:
        """Answer with the entry point."""
        return self._entry_point("backend", scheme)

    @hookimpl(trylast=True)
    def celeriac_serializer(self, name: str) -> Any:
        """Answer with the entry point."""
        return self._entry_point("serializer", name)

    @hookimpl(trylast=True)
    def celeriac_pool(self, name: str) -> Any:
        """Answer with the entry point."""
        return self._entry_point("pool", name)

    @hookimpl(trylast=True)
    def celeriac_scheduler(self, name: str) -> Any:
        """Answer with the entry point."""
        return self._entry_point("scheduler", name)

    @hookimpl(trylast=True)
    def celeriac_loader(self, name: str) -> Any:
        """Answer with the entry point."""
        return self._entry_point("loader", name)

    @hookimpl(tryfirst=True)
    def celeriac_report(self) -> Mapping[str, str]:
        """Name the versions of the kernel and of what it runs on."""
        import platform  # whoever asks for a report does not mind the time

        import kombu

        return {
            "celeriac": self._version,
            "kombu": kombu.__version__,
            "python": f"{platform.python_implementation()} {platform.python_version()}",
            "system": platform.platform(),
        }
