"""Made by `make stubs`: where each name is."""

from celeriac.events import *
from celeriac.events.dispatcher import logger as logger
