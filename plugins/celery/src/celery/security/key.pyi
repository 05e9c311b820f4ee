"""Made by `make stubs`: where each name is."""

from celeriac.security.key import *
