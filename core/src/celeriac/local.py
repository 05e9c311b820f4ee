"""What stands for an object that is found when it is used: ``celeriac.local.Proxy``."""

from __future__ import annotations

from celeriac.app.proxies import Proxy

__all__ = ["Proxy"]
