"""What consumes: the consumer itself, and its steps, under the names that Celery gives them."""

from __future__ import annotations

from celeriac.worker.consumer.agent import Agent
from celeriac.worker.consumer.connection import Connection
from celeriac.worker.consumer.consumer import Consumer
from celeriac.worker.consumer.control import Control
from celeriac.worker.consumer.events import Events
from celeriac.worker.consumer.gossip import Gossip
from celeriac.worker.consumer.heart import Heart
from celeriac.worker.consumer.mingle import Mingle
from celeriac.worker.consumer.tasks import Tasks

__all__ = ["Agent", "Connection", "Consumer", "Control", "Events", "Gossip", "Heart", "Mingle", "Tasks"]
