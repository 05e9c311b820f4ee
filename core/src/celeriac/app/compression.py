"""The compressors of one app: those of Python itself, and those of plugins."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from celeriac.exceptions import PluginNotFound, ProtocolError, SerializationError
from celeriac.protocol import compression

if TYPE_CHECKING:
    from celeriac.app.base import Celery
    from celeriac.contracts.compressor import Compressor


class Compression:
    """Finds compressors by name and content type; each is made once."""

    def __init__(self, app: Celery) -> None:
        self.app = app
        self._made: dict[str, Compressor] = {}

    def compress(self, data: bytes, name: str) -> tuple[str, bytes]:
        """The content type of the method `name`, for the header ``compression``, and `data` compressed.

        Raises `SerializationError` for a method that nobody offers.
        """
        if compression.is_known(name):
            return compression.compress(data, name)
        try:
            compressor = self._get(name)
        except PluginNotFound as error:
            raise SerializationError(f"no compression is called {name!r}, only gzip, bzip2, lzma: {error}") from error
        return compressor.content_type, compressor.compress(data)

    def expand(self, data: bytes, kind: object) -> bytes:
        """What was compressed as the header `kind` says.

        Raises `ProtocolError` for a method that nobody offers, for damaged data, and for what expands to more than the
        setting ``accept_expanded_bytes``.
        """
        most = self.app.conf.accept_expanded_bytes
        if not isinstance(kind, str) or compression.is_known(kind):
            return compression.expand(data, kind, most)
        # A stranger chose the name: it is looked up among those that are offered, never imported.
        if kind not in self._made and kind not in self.app.plugins.driver_names("compressor"):
            told = f"the body is compressed by {kind[:100]!r}, which is not known here"
            if kind in ("application/zstd", "application/x-brotli"):
                told += ". It comes with celeriac-compression: pip install celeriac-compression"
            raise ProtocolError(told)
        return self._get(kind).expand(data, most)

    def _get(self, name: str) -> Compressor:
        found = self._made.get(name)
        if found is None:
            found = self._made[name] = self.app.plugins.driver("compressor", name)()
        return found


#: Kombu's own, by content type, for when there is no app any more.
_kombus: Final[dict[str, Callable[[Any], bytes]]] = {}


def limit_kombu(app: Celery) -> None:
    """Have Kombu expand no more than we do: it decompresses a message as it makes it, wherever it reads one itself.

    What is known to Kombu and to no plugin is not expanded at all; the message is refused as one that cannot be read.
    """
    from kombu import compression as kombu_compression  # by then it is loaded

    reference = weakref.ref(app)
    for kind in kombu_compression.encoders():
        encode, _ = kombu_compression.get_encoder(kind)
        _kombus.setdefault(kind, kombu_compression.get_decoder(kind))
        kombu_compression.register(encode, partial(_expand, reference, kind), kind)


def _expand(reference: weakref.ref[Celery], kind: str, body: Any) -> bytes:
    app = reference()
    if app is None:
        return _kombus[kind](body)
    return app.compression.expand(body.encode("latin-1") if isinstance(body, str) else bytes(body), kind)
