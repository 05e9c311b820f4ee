"""Made by `make stubs`: where each name is."""

from celeriac.apps.multi import *
