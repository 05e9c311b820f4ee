"""Results: those of tasks, of groups, and those that were there at once."""

from __future__ import annotations

from celeriac.results.async_result import AsyncResult
from celeriac.results.eager import EagerResult
from celeriac.results.group_result import GroupResult
from celeriac.results.result_set import ResultSet

__all__ = ["AsyncResult", "EagerResult", "GroupResult", "ResultSet"]
