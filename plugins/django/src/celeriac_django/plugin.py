"""What the kernel calls."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from celeriac.plugin import hookimpl


@hookimpl
def celeriac_fixups(app: Any) -> Iterable[Any]:
    """The fixup, in programs that are Django's."""
    if not os.environ.get("DJANGO_SETTINGS_MODULE"):
        return []
    from celeriac_django.fixup import DjangoFixup

    return [DjangoFixup(app)]
