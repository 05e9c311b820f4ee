"""The consumer's own steps, in the order in which they start."""

from __future__ import annotations

from celeriac.bootsteps import Blueprint
from celeriac.worker.consumer.agent import Agent
from celeriac.worker.consumer.connection import Connection
from celeriac.worker.consumer.control import Control
from celeriac.worker.consumer.events import Events
from celeriac.worker.consumer.gossip import Gossip
from celeriac.worker.consumer.heart import Heart
from celeriac.worker.consumer.mingle import Mingle
from celeriac.worker.consumer.tasks import Tasks


class ConsumerBlueprint(Blueprint):
    """Steps that live as long as the consumer."""

    name = "Consumer"
    default_steps = (Connection, Events, Mingle, Gossip, Heart, Agent, Tasks, Control)
