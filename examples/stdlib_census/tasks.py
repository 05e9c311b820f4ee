"""What the census asks of each file; nothing here is configured, so tasks and results go through the embedded queue."""

from __future__ import annotations

import ast
import warnings
from pathlib import Path
from typing import Any

from celeriac import Celery

app = Celery("stdlib_census")

# Some files of the test suite warn on purpose when they are parsed.
warnings.simplefilter("ignore", SyntaxWarning)

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
BLOCKS = (ast.stmt, ast.excepthandler, ast.match_case)


@app.task
def examine(path: str) -> dict[str, Any]:
    """Count what a Python file holds; `unreadable` says why where it cannot be parsed."""
    source = Path(path).read_bytes()
    found = {"path": path, "lines": source.count(b"\n"), "functions": 0, "classes": 0, "deepest": 0}
    found |= {"longest": 0, "longest_name": "", "unreadable": None}
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError) as error:
        return found | {"unreadable": f"{type(error).__name__}: {error}"}
    blocks: list[tuple[ast.AST, int]] = [(tree, 0)]
    while blocks:
        block, depth = blocks.pop()
        found["deepest"] = max(found["deepest"], depth)
        found["classes"] += isinstance(block, ast.ClassDef)
        if isinstance(block, FUNCTIONS):
            found["functions"] += 1
            length = (block.end_lineno or block.lineno) - block.lineno + 1
            if length > found["longest"]:
                found |= {"longest": length, "longest_name": block.name}
        children = (child for child in ast.iter_child_nodes(block) if isinstance(child, BLOCKS))
        blocks.extend((child, depth + deeper(block, child)) for child in children)
    return found


def deeper(block: ast.AST, child: ast.AST) -> bool:
    """Whether what is in `child` is nested deeper than what is in `block`; ``elif`` only looks so to the parser."""
    is_elif = isinstance(block, ast.If) and isinstance(child, ast.If) and block.orelse == [child]
    return isinstance(child, ast.stmt) and hasattr(child, "body") and not is_elif


@app.task(acks_late=True, reject_on_worker_lost=True)
def examine_surely(path: str) -> dict[str, Any]:
    """The same, but a file whose worker dies goes back to the queue, and to the next worker."""
    return examine(path)
