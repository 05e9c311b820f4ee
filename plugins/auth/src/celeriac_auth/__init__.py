"""Signed and sealed messages.

Everything is done by ``app.setup_security()`` and the settings ``security_*``; the classes are for programs that read
or write signed content by themselves, and are those of ``celeriac.security``.  Each is loaded when it is first asked
for: an app that does not sign pays for no cryptography.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from celeriac_auth.certificates import Certificate as Certificate
    from celeriac_auth.keys import PrivateKey as PrivateKey
    from celeriac_auth.serializer import SecureSerializer as SecureSerializer
    from celeriac_auth.serializer import register_auth as register_auth
    from celeriac_auth.store import CertStore as CertStore
    from celeriac_auth.store import FSCertStore as FSCertStore

__all__ = ["CertStore", "Certificate", "FSCertStore", "PrivateKey", "SecureSerializer", "register_auth"]

_HOMES: Final = {
    "CertStore": "celeriac_auth.store",
    "Certificate": "celeriac_auth.certificates",
    "FSCertStore": "celeriac_auth.store",
    "PrivateKey": "celeriac_auth.keys",
    "SecureSerializer": "celeriac_auth.serializer",
    "register_auth": "celeriac_auth.serializer",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(home), name)
    return value


def __dir__() -> list[str]:
    return __all__
