"""A Kombu connection as apps make it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kombu import Connection

if TYPE_CHECKING:
    from celeriac.app.connecting import ConnectedApp


class AppConnection(Connection):
    """Keeps the transport that it was made with, whichever of its URLs it uses, and knows its app.

    Kombu goes by the scheme of a URL, also when it fails over to the next one: with its own transport in the place of a
    plugin's, the connection would lose what that takes care of, such as looking at certificates.
    """

    #: Lanes and channels find their settings here.
    app: ConnectedApp | None = None
    _kept: Any = None
    _offered: Any = None

    def __init__(self, hostname: Any = None, **options: Any) -> None:
        super().__init__(hostname, **options)  # type: ignore[no-untyped-call]  # Kombu has few types

    def keep(self, app: ConnectedApp | None, transport: Any) -> AppConnection:
        """Belong to `app`, and use this transport from now on; gives itself."""
        self.app, self._kept = app, transport
        return self

    @property
    def transport_cls(self) -> Any:
        """The transport class, or its name."""
        return self._offered if self._kept is None else self._kept

    @transport_cls.setter
    def transport_cls(self, offered: Any) -> None:
        self._offered = offered

    def clone(self, **kwargs: Any) -> Connection:
        """Another one of the same kind, as pools make them."""
        copy: Connection = super().clone(**kwargs)  # type: ignore[no-untyped-call]  # Kombu has few types
        return copy.keep(self.app, self._kept) if isinstance(copy, AppConnection) else copy
