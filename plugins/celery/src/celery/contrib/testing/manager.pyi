"""Made by `make stubs`: where each name is."""

from celeriac.contrib.testing.manager import *
