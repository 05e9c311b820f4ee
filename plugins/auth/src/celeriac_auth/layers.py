"""The middlewares of an app that signs headers or seals bodies."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

from celeriac.contracts import Delivery, OutgoingMessage, StorePrimitives
from celeriac.exceptions import Ignore, ImproperlyConfigured, SecurityError
from celeriac_auth.driver import AuthSerializer
from celeriac_auth.header_signature import HeaderSignature, proof_in
from celeriac_auth.replay import REPLAYED, Guard, ProcessGuard, StoreGuard

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

logger = logging.getLogger("celeriac_auth")

#: What headers show in place of arguments that are sealed.
_HIDDEN: Final = "<sealed>"


def auth_of(app: Any) -> AuthSerializer:
    """The serializer of the app.  Raises `ImproperlyConfigured` where ``app.setup_security()`` was not called."""
    found = app.serializers.get("auth")
    if not isinstance(found, AuthSerializer):
        raise ImproperlyConfigured(
            "security_sign_headers, security_encrypt and security_command_signers need celeriac-auth and its "
            f"serializer 'auth', not {found!r}"
        )
    return found


def header_signature(app: Any) -> HeaderSignature:
    """That of the app, as its settings say.  Raises `ImproperlyConfigured`."""
    content = auth_of(app).content
    return HeaderSignature(content.identity, content.trust, app.conf.security_max_age)


def outgoing(app: Any) -> Callable[[OutgoingMessage, Callable[[Any], Any]], Any]:
    """The publish middleware: hides the arguments that the headers show, signs the headers."""
    is_sealed = app.conf.security_encrypt is not None
    signature = header_signature(app) if app.conf.security_sign_headers else None

    def layer(message: OutgoingMessage, call_next: Callable[[Any], Any]) -> Any:
        if is_sealed:
            for name in ("argsrepr", "kwargsrepr"):
                if name in message.headers:
                    message.headers[name] = _HIDDEN
        if signature is not None:
            signature.sign(message)
        return call_next(message)

    return layer


def incoming(app: Any) -> Callable[[Delivery, Callable[[Any], Any]], Any]:
    """The consume middleware: nothing is made of headers before their signature is verified."""
    signature = header_signature(app)

    def layer(delivery: Delivery, call_next: Callable[[Any], Any]) -> Any:
        try:
            signature.verify(delivery)
        except SecurityError:
            raise
        except Exception as error:  # whatever it is, an error here must not let a message pass
            logger.exception("Verifying the headers of a message failed in a way that nobody has thought of")
            raise SecurityError(f"its headers cannot be verified: {error!r}") from error
        return call_next(delivery)

    return layer


class RunOnce:
    """The execute middleware: a message that has run to an end is not run again."""

    def __init__(self, app: Any) -> None:
        self._signature = header_signature(app)
        self._guard = guard_of(app)

    def call(self, request: Any, call_next: Callable[[Any], Any]) -> Any:
        """Raises `Ignore` for a copy, of which the caller of the original learns nothing."""
        if (asked := self._question(request)) is not None and not self._guard.admit(*asked):
            raise _refused(request)
        return call_next(request)

    async def call_async(self, request: Any, call_next: Callable[[Any], Awaitable[Any]]) -> Any:
        """The same around a coroutine."""
        if (asked := self._question(request)) is not None and not await asyncio.to_thread(self._guard.admit, *asked):
            raise _refused(request)
        return await call_next(request)

    def _question(self, request: Any) -> tuple[str, float, bool] | None:
        headers: Mapping[str, Any] = request.headers or {}
        proof = proof_in(headers)
        if proof is None or request.is_eager or request.called_directly:
            return None
        seconds = self._signature.seconds_left(proof, {"eta": request.eta, "expires": request.expires})
        return proof.nonce, seconds, bool((request.delivery_info or {}).get("redelivered"))


def guard_of(app: Any) -> Guard:
    """What remembers for this app in this process: one, for all its tasks and threads."""
    auth = auth_of(app)
    with auth.lock:
        if auth.guard is None:
            auth.guard = _new_guard(app)
        return auth.guard


def _new_guard(app: Any) -> Guard:
    store = app.backend
    if isinstance(store, StorePrimitives):
        return StoreGuard(store, app.conf.security_max_age + 2 * app.conf.security_clock_skew)
    logger.warning(
        "The result store %s cannot remember which signed messages have run, so each process does for itself: a copy "
        "that reaches another process runs there. A store that can: sqlite, redis",
        store.as_uri(),
    )
    return ProcessGuard()


def _refused(request: Any) -> Ignore:
    logger.error("Message of task %s[%s] refused: %s", request.task, request.id, REPLAYED)
    return Ignore(REPLAYED)
