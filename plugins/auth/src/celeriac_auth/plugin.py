"""What the kernel calls.  Nothing is loaded, and nothing paid per message, where no message is signed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from celeriac.plugin import Middleware, Setting, hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from celeriac.contracts import CommandGuard, HealthCheck, Outcome


@hookimpl
def celeriac_settings() -> Iterable[Setting]:
    """Celery's, and those of what goes beyond."""
    yield Setting("security_key", str, None, "The file of the private key (PEM) with which messages are signed.")
    yield Setting(
        "security_key_password", "any", None, "The password of that key, as bytes or text; never shown.", secret=True
    )
    yield Setting("security_certificate", str, None, "The file of the certificate (PEM) of that key.")
    yield Setting(
        "security_cert_store",
        str,
        None,
        "A directory or glob with the certificates of all whose messages are accepted; read anew when it changes.",
    )
    yield Setting(
        "security_digest",
        str,
        "sha256",
        "The hash that is signed; sha1 is refused unless it stands here.",
    )
    yield Setting(
        "security_revocation_lists",
        str,
        None,
        "A directory or glob with revocation lists (PEM or DER) of those who issued the certificates.",
    )
    yield Setting(
        "security_wire_format",
        str,
        "5.5",
        "The version of Celery whose signed messages are written: 5.5 and later, or 5.4, which needs RSA keys.",
        choices=("5.5", "5.4"),
    )
    yield Setting(
        "security_clock_skew", "seconds", 60.0, "By how many seconds the clocks of the fleet may differ.", minimum=0
    )
    yield Setting(
        "security_sign_headers",
        bool,
        False,
        "Sign the headers of tasks too, refuse tasks without, run each message once, and date control commands.",
    )
    yield Setting(
        "security_max_age",
        "seconds",
        86_400.0,
        "Seconds for which signed headers count, from when they were signed or from the task's ETA.",
        minimum=1,
    )
    yield Setting(
        "security_encrypt", str, None, "Seal bodies, results, events and control commands with the key of this id."
    )
    yield Setting(
        "security_encryption_keys",
        str,
        None,
        "A directory or glob with the keys, as files <id>.key of 32 bytes in base64; read anew when it changes.",
    )
    yield Setting(
        "security_command_signers",
        "strings",
        None,
        "Globs of the certificates whose control commands workers obey, by subject (CN=ops) or by id; None obeys all.",
    )


@hookimpl
def celeriac_publish_middleware(app: Any) -> Iterable[Middleware]:
    """Innermost: the signature covers what all others have written."""
    if not app.conf.security_sign_headers and app.conf.security_encrypt is None:
        return []
    from celeriac_auth.layers import outgoing

    return [Middleware(1_000, outgoing(app), "auth")]


@hookimpl
def celeriac_consume_middleware(app: Any) -> Iterable[Middleware]:
    """Outermost: nobody sees a header that is not signed."""
    if not app.conf.security_sign_headers:
        return []
    from celeriac_auth.layers import incoming

    return [Middleware(-1_000, incoming(app), "auth")]


@hookimpl
def celeriac_execute_middleware(app: Any) -> Iterable[Middleware]:
    """Outermost: nothing is set up for a copy."""
    if not app.conf.security_sign_headers:
        return []
    from celeriac_auth.layers import RunOnce

    guard = RunOnce(app)
    return [Middleware(-1_000, guard.call, "auth", guard.call_async)]


@hookimpl
def celeriac_outcome_listeners(app: Any) -> Iterable[Callable[[Outcome], None]]:
    """The store learns which messages have come to an end."""
    if not app.conf.security_sign_headers:
        return []
    from celeriac_auth.layers import guard_of
    from celeriac_auth.replay import StoreGuard

    guard = guard_of(app)
    return [guard.settle] if isinstance(guard, StoreGuard) else []


@hookimpl
def celeriac_command_guards(app: Any) -> Iterable[CommandGuard]:
    """Commands that count for a while, and once, of those who may command."""
    conf = app.conf
    if not conf.security_sign_headers and conf.security_command_signers is None:
        return []
    from celeriac.contracts import CommandGuard
    from celeriac_auth.commands import CommandRights, FreshCommands
    from celeriac_auth.layers import auth_of

    guards: list[CommandRights | FreshCommands] = []
    if conf.security_command_signers is not None:
        guards.append(CommandRights(auth_of(app).content, conf.security_command_signers))
    if conf.security_sign_headers:
        guards.append(FreshCommands(conf.security_clock_skew))
    return [CommandGuard("auth", each.mark, each.check) for each in guards]


@hookimpl
def celeriac_report(app: Any) -> Mapping[str, str]:
    """Who signs here, and how many are trusted."""
    if app.conf.task_serializer != "auth":
        return {}
    from celeriac_auth.reporting import facts

    return facts(app)


@hookimpl
def celeriac_health_checks(app: Any) -> Iterable[HealthCheck]:
    """A worker whose certificate has expired sends what nobody accepts."""
    if app.conf.task_serializer != "auth":
        return []
    from celeriac.contracts import HealthCheck
    from celeriac_auth.reporting import certificate_fault

    return [HealthCheck("auth", lambda: certificate_fault(app))]
