"""Names that the plugin which signs lends to this package."""

from __future__ import annotations

from typing import Any

from celeriac.app.current import get_current_app
from celeriac.app.signing import NAME
from celeriac.exceptions import PluginNotFound


def lent(module: str, name: str, names: list[str]) -> Any:
    """What the plugin has under one of `names`; `module` is that which lends it on.

    Raises AttributeError for other names, and ImportError, with what to install, where there is no plugin.
    """
    if name not in names:
        raise AttributeError(f"module {module!r} has no attribute {name!r}")
    try:
        driver = get_current_app().plugins.driver("serializer", NAME)
    except PluginNotFound as error:
        raise ImportError(f"{name} needs a plugin: {error}") from error
    return driver.public[name]
