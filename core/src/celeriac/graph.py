"""What a task has called, as a graph: who depends on whom, in which order, and as a drawing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

#: Attributes of the drawing that are asked for by name: graph, nodes, leaves, edges.
_SCHEMES: dict[str, dict[str, str]] = {
    "graph": {"arrowhead": "vee"},
    "node": {"style": "filled", "fillcolor": "palegreen3", "color": "palegreen4"},
    "terminal": {"style": "filled", "fillcolor": "palegreen1", "color": "palegreen2"},
    "edge": {"color": "darkseagreen4", "arrowcolor": "black", "arrowsize": "0.7"},
}


class GraphFormatter:
    """Writes the DOT language, which Graphviz draws.

    `scheme` holds attributes of all nodes, as ``shape="oval"``; `root` is a node that is drawn first.
    """

    def __init__(
        self,
        root: Any = None,
        type: str | None = None,
        id: str | None = None,
        indent: int = 0,
        inw: str = " " * 4,
        **scheme: Any,
    ) -> None:
        self.root = root
        self.type = type or "digraph"
        self.id = id or "dependencies"
        self.indent = indent
        self.inw = inw or " " * 4
        self.scheme = {key: str(value) for key, value in scheme.items()}

    @property
    def direction(self) -> str:
        """The arrow between two nodes."""
        return "->" if self.type == "digraph" else "--"

    def label(self, obj: Any) -> str:
        """The name of a node."""
        return str(obj)

    def head(self, **attrs: Any) -> str:
        """The opening line, and what holds for the whole graph."""
        lines = [f"{self._space(0)}{self.type} {_quoted(self.id)} {{"]
        for key, value in {**_SCHEMES["graph"], **attrs}.items():
            lines.append(f"{self._space(1)}{key}={_quoted(value)};")
        if self.root is not None:
            lines.append(self._space(1) + self.node(self.root) + ";")
        return "\n".join(lines)

    def tail(self) -> str:
        """The closing line."""
        return f"{self._space(0)}}}"

    def node(self, obj: Any, **attrs: Any) -> str:
        """A node that others depend on."""
        return f"{_quoted(self.label(obj))}{_attributes({**_SCHEMES['node'], **self.scheme, **attrs})}"

    def terminal_node(self, obj: Any, **attrs: Any) -> str:
        """A node that depends on nothing."""
        return f"{_quoted(self.label(obj))}{_attributes({**_SCHEMES['terminal'], **self.scheme, **attrs})}"

    def edge(self, a: Any, b: Any, **attrs: Any) -> str:
        """The line from `a` to `b`."""
        ends = f"{_quoted(self.label(a))} {self.direction} {_quoted(self.label(b))}"
        return f"{ends}{_attributes({**_SCHEMES['edge'], **attrs})}"

    def line(self, text: str) -> str:
        """`text` as a statement."""
        return f"{self._space(1)}{text};"

    def _space(self, depth: int) -> str:
        return self.inw * (self.indent + depth)


class DependencyGraph:
    """A directed graph: the edge from A to B says that A depends on B.

    >>> graph = DependencyGraph([("chain", ["add", "mul"]), ("add", []), ("mul", ["add"])])
    >>> graph.topsort()
    ['add', 'mul', 'chain']
    """

    def __init__(self, it: Iterable[tuple[Any, Iterable[Any]]] | None = None, formatter: Any = None) -> None:
        self.formatter = formatter or GraphFormatter()
        self.adjacent: dict[Any, list[Any]] = {}
        if it is not None:
            self.update(it)

    def add_arc(self, obj: Any) -> None:
        """Add a node, unless it is there."""
        self.adjacent.setdefault(obj, [])

    def add_edge(self, A: Any, B: Any) -> None:  # the names that callers give
        """Say that `A`, which is there, depends on `B`.  Raises KeyError."""
        self.adjacent[A].append(B)

    def connect(self, graph: DependencyGraph) -> None:
        """Take over the nodes and edges of another graph."""
        self.adjacent.update(graph.adjacent)

    def update(self, it: Iterable[tuple[Any, Iterable[Any]]]) -> None:
        """Add nodes, each with those that it depends on."""
        pairs = [(node, list(dependencies)) for node, dependencies in it]
        for node, _ in pairs:
            self.add_arc(node)
        for node, dependencies in pairs:
            for dependency in dependencies:
                self.add_edge(node, dependency)

    def edges(self) -> list[Any]:
        """The nodes that others depend on."""
        return list({dependency: None for found in self.adjacent.values() for dependency in found})

    def valency_of(self, obj: Any) -> int:
        """How many nodes are reached from `obj`, itself included, along all ways; 0 for one that is not there."""
        if obj not in self.adjacent:
            return 0
        ways = Counter[Any]()
        for node in reversed(self._sorted(obj)):
            ways[node] = 1 + sum(ways[dependency] for dependency in self.adjacent.get(node, ()))
        return ways[obj]

    def topsort(self) -> list[Any]:
        """The nodes in an order in which each comes after those that it depends on.  Raises ValueError for a circle."""
        order: dict[Any, None] = {}
        for node in self.adjacent:
            if node not in order:
                order.update(dict.fromkeys(found for found in reversed(self._sorted(node)) if found not in order))
        return list(order)

    def _sorted(self, start: Any) -> list[Any]:
        """What is reached from `start`, each before what it depends on; without recursion, chains may be long."""
        finished: dict[Any, None] = {}
        path: dict[Any, Iterator[Any]] = {start: iter(self.adjacent.get(start, ()))}
        while path:
            node, following = next(reversed(path.items()))
            for dependency in following:
                if dependency in path:
                    raise ValueError(f"the graph has a circle: {dependency} depends on itself")
                if dependency not in finished:
                    path[dependency] = iter(self.adjacent.get(dependency, ()))
                    break
            else:
                del path[node]
                finished[node] = None
        return list(reversed(finished))

    def to_dot(self, fh: TextIO, formatter: Any = None) -> None:
        """Write the graph to the text file `fh`, in the DOT language."""
        draw = formatter or self.formatter
        print(draw.head(), file=fh)
        seen: set[str] = set()

        def once(obj: Any, written: str) -> None:
            if draw.label(obj) not in seen:
                seen.add(draw.label(obj))
                print(draw.line(written), file=fh)

        for node, dependencies in self.adjacent.items():
            if not dependencies:
                once(node, draw.terminal_node(node))
            for dependency in dependencies:
                once(node, draw.node(node))
                print(draw.line(draw.edge(node, dependency)), file=fh)
        print(draw.tail(), file=fh)

    def format(self, obj: Any) -> Any:
        """The name of `obj` in a drawing."""
        return self.formatter.label(obj)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.adjacent)

    def __getitem__(self, node: Any) -> list[Any]:
        return self.adjacent[node]

    def __len__(self) -> int:
        return len(self.adjacent)

    def __contains__(self, obj: object) -> bool:
        return obj in self.adjacent

    def items(self) -> Iterable[tuple[Any, list[Any]]]:
        """The nodes, each with those that it depends on."""
        return self.adjacent.items()

    iteritems = items

    def __repr__(self) -> str:
        return "\n".join(self.repr_node(node) for node in self)

    def repr_node(self, obj: Any, level: int = 1, fmt: str = "{0}({1})") -> str:
        """`obj` and those that it depends on, one a line."""
        below = self.adjacent.get(obj, ())
        indented = ["    " * level + fmt.format(each, self.valency_of(each)) for each in below]
        return "\n".join([fmt.format(obj, self.valency_of(obj)), *indented])


def _quoted(value: Any) -> str:
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def _attributes(attrs: dict[str, Any]) -> str:
    return f" [{', '.join(f'{key}={_quoted(value)}' for key, value in attrs.items())}]" if attrs else ""
