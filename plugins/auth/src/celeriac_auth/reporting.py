"""What people are told of signing: never a secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from celeriac.exceptions import ImproperlyConfigured
from celeriac_auth.layers import auth_of

if TYPE_CHECKING:
    from collections.abc import Mapping


def facts(app: Any) -> Mapping[str, str]:
    """For ``celeriac report``."""
    try:
        content = auth_of(app).content
    except ImproperlyConfigured as error:
        return {"signing": str(error)}
    trusted = sum(1 for _ in content.trust.store.itercerts())
    return {"signing": f"{content.identity.certificate!r}, {trusted} trusted"}


def certificate_fault(app: Any) -> str | None:
    """What is wrong with the certificate of this process now; None where all is well."""
    try:
        return auth_of(app).content.identity.certificate.untimely()
    except ImproperlyConfigured as error:
        return str(error)
