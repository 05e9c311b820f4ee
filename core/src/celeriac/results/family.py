"""The tasks that a task has called, and those that these have called."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from celeriac.exceptions import IncompleteStream
from celeriac.graph import DependencyGraph, GraphFormatter


def iterdeps(result: Any, intermediate: bool = False) -> Iterator[tuple[Any, Any]]:
    """(the result of the caller, that of the called) of `result` and all below it, from above.

    Raises `IncompleteStream` at the first that has not ended, because what it will call is not known yet; with
    `intermediate` it is passed over.
    """
    open_ = deque([(None, result)])
    seen: set[tuple[str, str]] = set()  # a store that is lying could lead us in a circle
    while open_:
        pair: tuple[Any, Any] = open_.popleft()
        yield pair
        node = pair[1]
        if node.ready():
            new = [child for child in node.children or () if (node.id, child.id) not in seen]
            seen.update((node.id, child.id) for child in new)
            open_.extend((node, child) for child in new)
        elif not intermediate:
            raise IncompleteStream()


def build_graph(result: Any, intermediate: bool = False, formatter: Any = None) -> DependencyGraph:
    """The graph of `result` and all below it.  Raises as `iterdeps`."""
    graph = DependencyGraph(formatter=formatter or GraphFormatter(root=result.id, shape="oval"))
    for caller, called in iterdeps(result, intermediate):
        graph.add_arc(called)
        if caller is not None:
            graph.add_edge(caller, called)
    return graph
