"""Result stores that keep a value under a key, written for Celery: they say `get`, `set` and `delete`."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar

from celeriac_celery.result_backend import PENDING, BaseBackend

if TYPE_CHECKING:
    from celeriac.contracts import StoredResult


class KeyValueStoreBackend(BaseBackend):
    """Keys and values are those of Celery."""

    task_keyprefix: ClassVar[Any] = "celery-task-meta-"
    group_keyprefix: ClassVar[Any] = "celery-taskset-meta-"
    chord_keyprefix: ClassVar[Any] = "chord-unlock-"
    implements_incr: ClassVar[bool] = False
    key_t: ClassVar[Any] = str

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "delete" in vars(cls):
            cls.delete = _of_keys_and_tasks(vars(cls)["delete"])  # type: ignore[assignment,method-assign]  # see there

    def get(self, key: Any) -> Any:
        """The value of a key; None where there is none."""
        raise NotImplementedError(f"{type(self).__name__} must implement get")

    def set(self, key: Any, value: Any) -> Any:
        """Keep a value."""
        raise NotImplementedError(f"{type(self).__name__} must implement set")

    def _set_with_state(self, key: Any, value: Any, state: str) -> Any:
        """Keep a value, whose state a store may look at."""
        return self.set(key, value)

    def delete(self, key: Any) -> Any:
        """Forget a key; the kernel gives a list of ids of tasks."""
        raise NotImplementedError(f"{type(self).__name__} must implement delete")

    def mget(self, keys: Any) -> Any:
        """The values of several keys."""
        return [self.get(key) for key in keys]

    def get_key_for_task(self, task_id: Any, key: Any = "") -> Any:
        """The key of a task's result."""
        return self.key_t(f"{_text(self.task_keyprefix)}{_text(task_id)}{_text(key)}")

    def get_key_for_group(self, group_id: Any, key: Any = "") -> Any:
        """The key of a group."""
        return self.key_t(f"{_text(self.group_keyprefix)}{_text(group_id)}{_text(key)}")

    def _store_one(self, stored: StoredResult) -> None:
        if type(self)._store_result is not KeyValueStoreBackend._store_result:
            super()._store_one(stored)
        elif not self._is_settled(stored):
            value = self.encode(stored.meta)
            self._set_with_state(self.get_key_for_task(stored.task_id), value, stored.state)

    def _store_result(
        self, task_id: str, result: Any, state: str, traceback: Any = None, request: Any = None, **kwargs: Any
    ) -> Any:
        meta = self._get_result_meta(result=result, state=state, traceback=traceback, request=request)
        meta["task_id"] = task_id
        self._set_with_state(self.get_key_for_task(task_id), self.encode(meta), state)
        return result

    def _get_task_meta_for(self, task_id: str) -> dict[str, Any]:
        value = self.get(self.get_key_for_task(task_id))
        return {"status": PENDING, "result": None} if not value else self.decode(value)

    def _forget(self, task_id: str) -> None:
        self.delete(self.get_key_for_task(task_id))

    def _save_group(self, group_id: str, result: Any) -> Any:
        self._set_with_state(self.get_key_for_group(group_id), self.encode({"result": result.as_tuple()}), "SUCCESS")
        return result

    def _restore_group(self, group_id: str) -> Any:
        value = self.get(self.get_key_for_group(group_id))
        return self.decode(value) if value else None

    def _delete_group(self, group_id: str) -> None:
        self.delete(self.get_key_for_group(group_id))


def _of_keys_and_tasks(delete: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """The `delete` of a subclass takes a key; the kernel's takes a list of ids of tasks, and has the same name."""

    @wraps(delete)
    def either(self: Any, key: Any) -> Any:
        return BaseBackend.delete(self, key) if isinstance(key, (list, tuple)) else delete(self, key)

    return either


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


__all__ = ["KeyValueStoreBackend"]
