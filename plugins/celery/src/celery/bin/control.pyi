"""Made by `make stubs`: where each name is."""

from celeriac.cli.remote import UNAVAILABLE as UNAVAILABLE
from celeriac.cli.remote import control as control
from celeriac.cli.remote import inspect as inspect
from celeriac.cli.remote import silence as silence
from celeriac.cli.remote import status as status
