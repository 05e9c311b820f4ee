"""What a step is: made from the options of its command, then started and stopped with its worker or consumer."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module
from typing import Any, ClassVar


class Step:
    """A part that only has to be created."""

    #: Where it is looked up in ``requires``; ``module.Class`` unless given.
    name: ClassVar[str] = ""
    #: What a drawing calls it; the last part of the name unless given.
    label: str | None = None
    #: Steps (classes or names) that must be there and start before this one.
    requires: ClassVar[Iterable[Any]] = ()
    #: Whether it takes part at all; a step may set it in its constructor, by the options.
    enabled: bool = True
    #: Whether that depends on options or configuration; only told to people, decided by `include_if`.
    conditional: bool = False
    #: Starts after all that does not require it.
    last: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" not in cls.__dict__:
            cls.name = f"{cls.__module__}.{cls.__qualname__}"

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        """`parent` is the worker or consumer; keywords are the options of its command."""

    @property
    def alias(self) -> str:
        """The short name, for logs."""
        return self.label or self.name.rpartition(".")[2]

    def include_if(self, parent: Any) -> bool:
        """Whether it takes part; may look at the parent."""
        return self.enabled

    def instantiate(self, name: Any, *args: Any, **kwargs: Any) -> Any:
        """An object of a class that is given as such or by its dotted name, as settings do."""
        return named_class(name)(*args, **kwargs)

    def create(self, parent: Any) -> Any:
        """Make what the step is about; what it returns is the step's `obj`."""

    def include(self, parent: Any) -> bool:
        """Create it if it takes part; True if it did."""
        if not self.include_if(parent):
            return False
        self.obj = self.create(parent)
        return True

    def info(self, obj: Any) -> dict[str, Any]:
        """Facts for ``inspect stats``."""
        return {}

    def __repr__(self) -> str:
        return f"<step: {self.alias}>"


class StartStopStep(Step):
    """A part that runs from `start` to `stop`."""

    obj: Any = None

    def start(self, parent: Any) -> Any:
        """The worker starts."""
        if self.obj is not None and hasattr(self.obj, "start"):
            return self.obj.start()
        return None

    def stop(self, parent: Any) -> Any:
        """The worker stops; also called if `start` failed half way, and then harmless."""
        if self.obj is not None and hasattr(self.obj, "stop"):
            return self.obj.stop()
        return None

    def close(self, parent: Any) -> None:
        """The worker is about to stop: take nothing new."""

    def terminate(self, parent: Any) -> None:
        """Stop at once."""
        if self.obj is not None and hasattr(self.obj, "terminate"):
            self.obj.terminate()
        else:
            self.stop(parent)


class ConsumerStep(StartStopStep):
    """A part that consumes messages of its own through the plain Kombu API."""

    consumers: list[Any] | None = None
    _channel: Any = None

    def get_consumers(self, channel: Any) -> list[Any]:
        """The ``kombu.Consumer`` objects to run, on this channel."""
        raise NotImplementedError(f"{type(self).__name__} must define get_consumers(channel)")

    def start(self, c: Any) -> None:
        """The connection is there; also called when it has been lost and is there again."""
        self._channel = c.connection.channel()
        self.consumers = self.get_consumers(self._channel)
        for consumer in self.consumers or ():
            consumer.consume()

    def stop(self, c: Any) -> None:
        """The connection is about to end, or is lost."""
        consumers, channel = self.consumers, self._channel
        self.consumers = self._channel = None
        # On a lost connection all of these fail; then there is nothing to end, and amqp also raises AttributeError.
        errors = (*c.connection.connection_errors, *c.connection.channel_errors, AttributeError)
        endings = [consumer.cancel for consumer in consumers or ()]
        endings += [each.close for each in {id(each): each for each in _channels(channel, consumers)}.values()]
        for end in endings:
            with suppress(*errors):
                end()

    shutdown = stop


def _channels(own: Any, consumers: Iterable[Any] | None) -> list[Any]:
    return [channel for channel in (own, *(consumer.channel for consumer in consumers or ())) if channel is not None]


def named_class(name: Any) -> Any:
    """The class itself, or the one that ``module:Class`` or ``module.Class`` names."""
    if not isinstance(name, str):
        return name
    module, _, attribute = name.replace(":", ".").rpartition(".")
    return getattr(import_module(module), attribute)
