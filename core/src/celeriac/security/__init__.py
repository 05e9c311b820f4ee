"""Signed messages, where users of Celery look for them; the plugin ``celeriac-auth`` does the work."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from celeriac.app.current import get_current_app

__all__ = ["disable_insecure_serializers", "disable_untrusted_serializers", "setup_security"]


def setup_security(
    allowed_serializers: Iterable[str] | None = None,
    key: str | None = None,
    key_password: bytes | None = None,
    cert: str | None = None,
    store: str | None = None,
    digest: str | None = None,
    serializer: str = "json",
    app: Any = None,
) -> None:
    """What ``app.setup_security`` does, for the current app unless another one is given."""
    app = app or get_current_app()
    app.setup_security(allowed_serializers, key, key_password, cert, store, digest or "sha256", serializer)


def disable_untrusted_serializers(whitelist: Iterable[str] | None = None) -> None:
    """Let the current app accept content of these serializers alone; of JSON where none is named."""
    app: Any = get_current_app()
    app.conf.update(accept_content=list(whitelist or ["json"]))
    app.serializers.accept_anew()


disable_insecure_serializers = disable_untrusted_serializers
