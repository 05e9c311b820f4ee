"""Made by `make stubs`: where each name is."""

from celeriac.cli.basics import call as call
from celeriac.cli.basics import purge as purge
from celeriac.cli.basics import report as report
from celeriac.cli.basics import result as result
