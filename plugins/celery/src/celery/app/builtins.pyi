"""Made by `make stubs`: where each name is."""

from celeriac.app.builtins import *
