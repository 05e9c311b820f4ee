"""The results of tasks: where users import them from."""

from __future__ import annotations

from celeriac.graph import DependencyGraph, GraphFormatter
from celeriac.results.async_result import AsyncResult
from celeriac.results.base import ResultBase
from celeriac.results.eager import EagerResult
from celeriac.results.group_result import GroupResult
from celeriac.results.guard import allow_join_result, assert_will_not_block, denied_join_result, task_join_will_block
from celeriac.results.result_set import ResultSet
from celeriac.results.tuples import result_from_tuple

__all__ = [
    "AsyncResult",
    "DependencyGraph",
    "EagerResult",
    "GraphFormatter",
    "GroupResult",
    "ResultBase",
    "ResultSet",
    "allow_join_result",
    "assert_will_not_block",
    "denied_join_result",
    "result_from_tuple",
    "task_join_will_block",
]
