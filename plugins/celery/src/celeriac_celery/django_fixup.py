"""Django's fixup by Celery's name (``celery.fixups.django``); what it does is the plugin's, `celeriac-django`."""

from __future__ import annotations

import os
from typing import Any


def fixup(app: Any, env: str = "DJANGO_SETTINGS_MODULE") -> Any:
    """The fixup of `app` where Django is in use; the plugin has installed it then."""
    if not os.environ.get(env):
        return None
    return next((each for each in app.fixups if type(each).__name__ == "DjangoFixup"), None)


__all__ = ["fixup"]
