"""Where users of Celery look for loggers: ``from celeriac.utils.log import get_task_logger``."""

from __future__ import annotations

from celeriac.app.log_formats import ColorFormatter
from celeriac.app.log_streams import LoggingProxy
from celeriac.app.loggers import get_logger, get_task_logger, level_of

__all__ = ["ColorFormatter", "LoggingProxy", "get_logger", "get_task_logger", "mlevel"]

mlevel = level_of
