"""Signatures that are made of others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, Self

from celeriac.canvas.launch import launched
from celeriac.canvas.options import merged
from celeriac.canvas.signature import Signature


class Composite(Signature):
    """A signature made of others: expanded by whoever sends it, and never a message itself.

    Its kwargs hold the parts, and under the name ``kwargs`` those that are meant for the first task.
    """

    def clone(self, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **opts: Any) -> Self:
        """A copy, with arguments before its own, and more keywords and options."""
        all_args, all_kwargs, options = self._merge(args or (), kwargs or {}, opts)
        parts = deepcopy(self["kwargs"])
        if all_kwargs:
            parts["kwargs"] = deepcopy(dict(all_kwargs))
        immutable = options.pop("immutable", self["immutable"])
        return self._copy(args=tuple(all_args), kwargs=parts, options=deepcopy(options), immutable=immutable)

    def _merge(
        self, args: Sequence[Any], kwargs: Mapping[str, Any], options: Mapping[str, Any], force: bool = False
    ) -> tuple[Sequence[Any], Mapping[str, Any], dict[str, Any]]:
        own_kwargs = self["kwargs"].get("kwargs") or {}
        all_options = merged(self["options"], options)
        if self.get("immutable") and not force:
            return self["args"], own_kwargs, all_options
        return (*args, *self["args"]), {**own_kwargs, **kwargs}, all_options

    def set_immutable(self, immutable: bool) -> None:
        """Take no more arguments from now on, or take them again; so do the parts."""
        self["immutable"] = immutable

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Send it, with these arguments before its own."""
        return self.apply_async(args, kwargs)

    def apply_async(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        route_name: Any = None,
        **options: Any,
    ) -> Any:
        """Send it, all messages as one batch; gives the result of what is last in it."""
        app = self.app
        if app.conf.task_always_eager:
            return self.apply(args, kwargs, **options)
        return launched(app, self.settle(options), args or (), kwargs or {}, options)

    def _known_task(self) -> Any:
        return None
