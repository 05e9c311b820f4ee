"""The serializers of one app: what it writes, and what it agrees to read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from celeriac.exceptions import PluginNotFound, SecurityError

if TYPE_CHECKING:
    from celeriac.app.base import Celery
    from celeriac.contracts.serializer import Serializer

#: Names, as ``accept_content`` has them, of the content types that are on the wire.
KNOWN_TYPES = {
    "application/json": "json",
    "application/x-python-serialize": "pickle",
    "application/x-yaml": "yaml",
    "application/x-msgpack": "msgpack",
    "application/data": "auth",
}


class Serializers:
    """Finds serializers by name and content type; each is made once."""

    def __init__(self, app: Celery) -> None:
        self.app = app
        self._by_name: dict[str, Serializer] = {}
        self._accepted: dict[str, Serializer] | None = None
        self._results: dict[str, Serializer] | None = None

    def get(self, name: str) -> Serializer:
        """The serializer called `name`.  Raises `PluginNotFound`."""
        found = self._by_name.get(name)
        if found is None:
            found = self._by_name[name] = self._make(name)
        return found

    def _make(self, name: str) -> Serializer:
        try:
            found: Serializer = self.app.plugins.driver("serializer", name)()
        except PluginNotFound:
            from celeriac.app.foreign_serializer import ForeignSerializer, is_foreign  # loads Kombu

            if not is_foreign(name):
                raise
            return ForeignSerializer(name)
        return found

    def put(self, serializer: Serializer) -> None:
        """Use this one under its name from now on."""
        self._by_name[serializer.name] = serializer
        self.accept_anew()

    def accept_anew(self) -> None:
        """Look anew at what the settings say is accepted."""
        self._accepted = self._results = None

    def encode(self, value: Any, name: str) -> tuple[str, str, bytes]:
        """Content type, content encoding and bytes of `value`.  Raises `SerializationError`."""
        serializer = self.get(name)
        return serializer.content_type, serializer.content_encoding, serializer.dumps(value)

    def of_type(self, content_type: str) -> Serializer:
        """The serializer that wrote content of this type here.  Raises `KeyError`."""
        for serializer in list(self._by_name.values()):
            if serializer.content_type == content_type:
                return serializer
        raise KeyError(content_type)

    @property
    def accepted(self) -> dict[str, Serializer]:
        """Content type to serializer, for all that ``accept_content`` names."""
        if self._accepted is None:
            self._accepted = self._accepting(self.app.conf.accept_content)
        return self._accepted

    @property
    def accepted_results(self) -> dict[str, Serializer]:
        """The same for results, from ``result_accept_content`` where it is set."""
        if self._results is None:
            own = self.app.conf.result_accept_content
            self._results = self.accepted if own is None else self._accepting(own)
        return self._results

    def _accepting(self, names: Any) -> dict[str, Serializer]:
        chosen = [self.get(name_of(name)) for name in names or ()]
        return {serializer.content_type: serializer for serializer in chosen}

    def decode(self, data: bytes, content_type: str) -> Any:
        """The value of a message's body.

        Raises `ContentDisallowed` for content that is not accepted, `ProtocolError` for data that is not of its format.
        """
        return self._reader(content_type, self.accepted, "accept_content").loads(data)

    def decode_result(self, data: bytes, content_type: str) -> Any:
        """The value of a stored result; errors as `decode`."""
        setting = "accept_content" if self.app.conf.result_accept_content is None else "result_accept_content"
        return self._reader(content_type, self.accepted_results, setting).loads(data)

    def _reader(self, content_type: str, accepted: dict[str, Serializer], setting: str) -> Serializer:
        try:
            return accepted[content_type]
        except KeyError:
            raise refusal(content_type, setting) from None

    @property
    def is_signed_only(self) -> bool:
        """True when whatever is accepted proves who has written it."""
        return all(serializer.authenticates for serializer in self.accepted.values())

    def accepts(self, content_type: str) -> bool:
        """True when messages of this content type may be decoded."""
        return content_type in self.accepted


def name_of(name: str) -> str:
    """The name of a serializer, for what ``accept_content`` may hold: a name, or a content type."""
    if (known := KNOWN_TYPES.get(name)) is not None or "/" not in name:
        return known or name
    from celeriac.app.foreign_serializer import name_of_foreign  # loads Kombu

    return name_of_foreign(name) or name


def refusal(content_type: str, setting: str = "accept_content") -> SecurityError:
    """The error for content of this type, which is not decoded: why, and what to do."""
    from celeriac.exceptions import ContentDisallowed  # made when first needed: it is Kombu's too

    if not content_type:
        return ContentDisallowed(
            "it names no content type, so whoever has written it is no client of Celeriac or Celery"
        )
    shown = str(content_type)[:100]
    name = KNOWN_TYPES.get(content_type, shown)
    return ContentDisallowed(
        f"content of type {shown!r} is refused: the setting {setting} does not name {name!r}. "
        "Add it there only if you trust everybody who can write to this "
        f"{'broker' if setting == 'accept_content' else 'result store'}."
    )
