"""The kernel's two loaders: the app's own, and the default one that reads ``celeryconfig``."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

from celeriac.contracts.loader import Loader

DEFAULT_MODULE: Final = "celeryconfig"


class AppLoader(Loader):
    """Everything comes from the app itself."""


class DefaultLoader(Loader):
    """Reads the module that CELERY_CONFIG_MODULE names, or ``celeryconfig`` where there is one."""

    def read_configuration(self) -> Mapping[str, Any]:
        name = os.environ.get("CELERY_CONFIG_MODULE") or DEFAULT_MODULE
        if name == DEFAULT_MODULE and importlib.util.find_spec(name) is None:
            return {}
        module = import_module(name)
        return {key: value for key, value in vars(module).items() if not key.startswith("_")}
