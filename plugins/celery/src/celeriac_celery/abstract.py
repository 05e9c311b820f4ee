"""What tasks and signatures are, as abstract classes (``celery.utils.abstract``)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from kombu.utils.imports import symbol_by_name


class CallableTask(ABC):
    """Whatever can be sent as a task is."""

    @abstractmethod
    def delay(self, *args: Any, **kwargs: Any) -> Any:
        """Send it."""

    @abstractmethod
    def apply_async(self, *args: Any, **kwargs: Any) -> Any:
        """Send it, with options."""

    @abstractmethod
    def apply(self, *args: Any, **kwargs: Any) -> Any:
        """Run it here."""

    @classmethod
    def __subclasshook__(cls, C: type) -> Any:
        wanted = ("delay", "apply_async", "apply")
        return all(hasattr(C, name) for name in wanted) if cls is CallableTask else NotImplemented


class CallableSignature(CallableTask):
    """A call of a task that is to come."""


CallableSignature.register(symbol_by_name("celeriac.canvas:Signature"))

__all__ = ["CallableSignature", "CallableTask"]
