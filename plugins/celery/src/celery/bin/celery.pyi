"""Made by `make stubs`: where each name is."""

from celeriac.cli.main import celeriac_command as celeriac_command
from celeriac.cli.main import run as run
from celeriac_celery.command_line import CLIContext as CLIContext
from celeriac_celery.command_line import COMMA_SEPARATED_LIST as COMMA_SEPARATED_LIST
from celeriac_celery.command_line import CeleryCommand as CeleryCommand
from celeriac_celery.command_line import CeleryDaemonCommand as CeleryDaemonCommand
from celeriac_celery.command_line import CeleryOption as CeleryOption
from celeriac_celery.command_line import CommaSeparatedList as CommaSeparatedList
from celeriac_celery.command_line import DaemonOption as DaemonOption
from celeriac_celery.command_line import ISO8601 as ISO8601
from celeriac_celery.command_line import ISO8601DateTime as ISO8601DateTime
from celeriac_celery.command_line import ISO8601DateTimeOrFloat as ISO8601DateTimeOrFloat
from celeriac_celery.command_line import ISO8601_OR_FLOAT as ISO8601_OR_FLOAT
from celeriac_celery.command_line import JSON_ARRAY as JSON_ARRAY
from celeriac_celery.command_line import JSON_OBJECT as JSON_OBJECT
from celeriac_celery.command_line import JsonArray as JsonArray
from celeriac_celery.command_line import JsonObject as JsonObject
from celeriac_celery.command_line import LOG_LEVEL as LOG_LEVEL
from celeriac_celery.command_line import LogLevel as LogLevel
from celeriac_celery.command_line import celery as celery
from celeriac_celery.command_line import handle_preload_options as handle_preload_options
from celeriac_celery.command_line import main as main
