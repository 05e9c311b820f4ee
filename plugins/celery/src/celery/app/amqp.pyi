"""Made by `make stubs`: where each name is."""

from celeriac.app.amqp import *
from celeriac.app.queues import Queues as Queues
from celeriac.protocol.task import TaskMessage as _task_message

task_message = _task_message
