"""Pages of the admin: results to look through, scheduled tasks to edit and run."""

from __future__ import annotations

from celeriac_django.admin.results import GroupResultAdmin, TaskResultAdmin
from celeriac_django.admin.schedules import ScheduledTaskAdmin

__all__ = ["GroupResultAdmin", "ScheduledTaskAdmin", "TaskResultAdmin"]
