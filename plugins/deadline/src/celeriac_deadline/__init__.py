"""A time budget that follows a task and everything it calls.

In a task, `remaining` says how many seconds are left and `check` ends the task when none are; anywhere, `budget`
bounds the calls that are made inside of it.
"""

from __future__ import annotations

from celeriac_deadline.budget import DeadlineExceeded, budget, check, remaining

__all__ = ["DeadlineExceeded", "budget", "check", "remaining"]
