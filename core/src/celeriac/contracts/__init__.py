"""What a driver must be: one small contract per kind, and the records that cross between the parts."""

from __future__ import annotations

from celeriac.contracts.backend import Backend, ResultWatcher, StoredResult
from celeriac.contracts.broker import (
    BROKER_API,
    ONCE_SECONDS,
    ConsumerLane,
    Delivery,
    LaneCapabilities,
    OutgoingMessage,
    ProducerLane,
    QueueFigures,
    Settlements,
)
from celeriac.contracts.chords import CLAIM_SECONDS, ChordPart, ChordStore, Deposit, NewChord, Turn
from celeriac.contracts.compressor import Compressor
from celeriac.contracts.control import CommandGuard, ControlCommand
from celeriac.contracts.fixup import Fixup
from celeriac.contracts.health import HealthCheck
from celeriac.contracts.loader import Loader
from celeriac.contracts.loop import EventLoop
from celeriac.contracts.middleware import Middleware
from celeriac.contracts.outcome import Outcome, OutcomeKind
from celeriac.contracts.pool import AsyncExecutor, Executor, Job, Pool, PoolContext, Recipe, Report, Run
from celeriac.contracts.primitives import Notices, StorePrimitives
from celeriac.contracts.serializer import Serializer
from celeriac.contracts.service import Service

__all__ = [
    "BROKER_API",
    "CLAIM_SECONDS",
    "ONCE_SECONDS",
    "AsyncExecutor",
    "Backend",
    "ChordPart",
    "ChordStore",
    "CommandGuard",
    "Compressor",
    "ConsumerLane",
    "ControlCommand",
    "Delivery",
    "Deposit",
    "EventLoop",
    "Executor",
    "Fixup",
    "HealthCheck",
    "Job",
    "LaneCapabilities",
    "Loader",
    "Middleware",
    "NewChord",
    "Notices",
    "Outcome",
    "OutcomeKind",
    "OutgoingMessage",
    "Pool",
    "PoolContext",
    "ProducerLane",
    "QueueFigures",
    "Recipe",
    "Report",
    "ResultWatcher",
    "Run",
    "Serializer",
    "Service",
    "Settlements",
    "StorePrimitives",
    "StoredResult",
    "Turn",
]
