"""Names by which the parts of the plugin know each other without importing."""

from __future__ import annotations

from typing import Final

#: The task in which workers run tasks of ``django.tasks``.
RUN_TASK: Final = "celeriac_django.run_task"
#: In ``TASKS``, the class of the backend.
BACKEND: Final = "celeriac_django.task_backend.CeleriacBackend"
