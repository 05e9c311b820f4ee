"""Made by `make stubs`: where each name is."""

from celeriac.loaders.app import *
