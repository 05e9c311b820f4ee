"""What every task of a Django app can do besides."""

from __future__ import annotations

from functools import partial
from typing import Any


class DjangoTask:
    """Mixed into the base of all tasks; a base class of your own takes it as ``class MyTask(DjangoTask, Task)``."""

    def delay_on_commit(self, *args: Any, **kwargs: Any) -> None:
        """`delay`, once the transaction has been committed: at once where there is none, never if it is rolled back."""
        _on_commit(partial(self.delay, *args, **kwargs))  # type: ignore[attr-defined]  # the task that it is mixed into

    def apply_async_on_commit(self, *args: Any, using: str | None = None, **kwargs: Any) -> None:
        """`apply_async`, once the transaction has been committed: that of the database `using`, else of the default."""
        _on_commit(partial(self.apply_async, *args, **kwargs), using)  # type: ignore[attr-defined]  # as above


def _on_commit(send: partial[Any], using: str | None = None) -> None:
    from django.db import transaction  # type: ignore[import-untyped]  # Django has no annotations

    transaction.on_commit(send, using=using)
