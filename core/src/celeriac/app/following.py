"""What is called with the value of a task that has succeeded: its callbacks, and the next of its chain."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from celeriac.canvas.kept import unstubbed
from celeriac.canvas.launch import Launch

if TYPE_CHECKING:
    from celeriac.app.base import Celery
    from celeriac.app.context import Context


def follow(app: Celery, task: Any, request: Context, value: Any) -> None:
    """Send them as one batch, or run them here where the task itself was.

    Raises what sending raises: a task whose successors cannot be called has failed.
    """
    if request.is_eager:
        for signature, options in _following(app, request):
            signature.apply((value,), **options)
        return
    known = {"parent_id": request.id, "root_id": request.root_id or request.id}
    launch = Launch(app)
    results = []
    for signature, options in _following(app, request):
        settled = signature.settle({**known, **options})
        settled.launch(launch, (value,), {})
        results.append(settled.result())
    launch.send()
    if task.trail:
        request.children.extend(results)


def _following(app: Celery, request: Context) -> Iterator[tuple[Any, dict[str, Any]]]:
    for callback in request.callbacks or ():
        yield app.signature(callback), {}
    if request.chain:
        *rest, following = request.chain  # in reverse: the last is called next
        signature = unstubbed(app, following)
        if signature is not None:
            yield signature, {"chain": rest} if rest else {}
