"""Eventlet itself: imported without its notice, which the pool gives in the worker's log, and only where it can be."""

from __future__ import annotations

import platform
import warnings

from celeriac.exceptions import ImproperlyConfigured

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    try:
        import eventlet as eventlet
        from eventlet import hubs as hubs
        from eventlet import patcher as patcher
    except Exception as error:  # releases that are older than a Python fail in ways of their own
        raise ImproperlyConfigured(
            f"the eventlet that is installed cannot be imported by Python {platform.python_version()} ({error!r}): "
            "pip install -U eventlet, or use the pool gevent or asyncio, as eventlet's authors advise"
        ) from error
