"""The results of a group, which can be put away and found again by the group's id."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from celeriac.app.belonging import reduced
from celeriac.app.current import get_current_app
from celeriac.app.identifiers import uuid
from celeriac.results.result_set import ResultSet

if TYPE_CHECKING:
    from celeriac.app.base import Celery
    from celeriac.contracts.backend import Backend


class GroupResult(ResultSet):
    """The results of a group."""

    def __init__(
        self, id: str | None = None, results: Iterable[Any] | None = None, parent: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(results, **kwargs)
        self.id = id or uuid()
        self.parent = parent

    def __repr__(self) -> str:
        return f"<GroupResult: {self.id} [{', '.join(result.id for result in self.results)}]>"

    def __str__(self) -> str:
        return self.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, GroupResult):
            return (other.id, other.results, other.parent) == (self.id, self.results, self.parent)
        return other == self.id if isinstance(other, str) else NotImplemented

    def __bool__(self) -> bool:
        return bool(self.id or self.results)

    def __reduce__(self) -> Any:
        return reduced(self, (self.id, self.results, self.parent))

    @property
    def children(self) -> list[Any]:
        """The members."""
        return self.results

    # -- keeping ------------------------------------------------------------------------------------------------------

    def save(self, backend: Backend | None = None) -> GroupResult:
        """Keep in the store which results belong to the group, for `restore`; as long as results are kept.

        Raises `StoreUnavailable`, and `BackendError` in a store that keeps no groups.
        """
        self.app.results.of(backend).store_group(self.id, self.as_tuple())
        return self

    @classmethod
    def restore(cls, id: str, backend: Backend | None = None, app: Celery | None = None) -> Any:
        """The group that was saved under that id; None where there is none.  Raises as `save`, and `ProtocolError`."""
        app = app or cls._owner or get_current_app()
        found = app.results.of(backend).fetch_group(id)
        return None if found is None else app.results.from_tuple(found)

    def delete(self, backend: Backend | None = None) -> None:
        """Forget what `save` has kept; the results themselves stay.  Raises as `save`."""
        self.app.results.of(backend).delete_group(self.id)


__all__ = ["GroupResult", "ResultSet"]
