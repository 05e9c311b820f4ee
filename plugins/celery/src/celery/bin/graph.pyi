"""Made by `make stubs`: where each name is."""

from celeriac.cli.graph import *
