"""Where users of Celery look for ids: ``from celeriac.utils import uuid``."""

from __future__ import annotations

from functools import cached_property

from celeriac.app.identifiers import uuid
from celeriac.app.queues import worker_direct
from celeriac.protocol.origin import nodename

__all__ = ["cached_property", "gen_unique_id", "nodename", "uuid", "worker_direct"]

gen_unique_id = uuid
