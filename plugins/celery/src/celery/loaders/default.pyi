"""Made by `make stubs`: where each name is."""

from celeriac.loaders.default import *
from celeriac.app.loader import DEFAULT_MODULE as _DEFAULT_CONFIG_MODULE

DEFAULT_CONFIG_MODULE = _DEFAULT_CONFIG_MODULE
