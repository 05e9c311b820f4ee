"""Made by `make stubs`: where each name is."""

from celeriac.cli.bindings import bindings as bindings
from celeriac.cli.bindings import list_command as list_command
