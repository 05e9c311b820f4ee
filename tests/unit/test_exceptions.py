"""The tree of errors: Celery's names and bases, one sentence each, pickled without loss."""

from __future__ import annotations

import inspect
import json
import pickle
from datetime import UTC, datetime
from pathlib import Path

import pytest
from kombu.exceptions import OperationalError

from celeriac import exceptions as found
from celeriac.exceptions import (
    BackendGetMetaError,
    BackendStoreError,
    CeleryCommandException,
    CeleryError,
    CeleryWarning,
    MaxRetriesExceededError,
    NotRegistered,
    QueueNotFound,
    Reject,
    Retry,
    TaskError,
    TaskPredicate,
    reraise,
)

SURFACE = json.loads((Path(__file__).parents[1] / "data" / "celery-surface.json").read_text())
CLASSES = [kind for _, kind in inspect.getmembers(found, inspect.isclass) if kind.__module__ == found.__name__]


@pytest.mark.parametrize("name", SURFACE["exceptions"])
def test_every_name_of_celery_is_here(name):
    assert hasattr(found, name)


def test_all_names_exactly_what_is_defined():
    own = {kind.__name__ for kind in CLASSES} | {"OperationalError", "reraise"}
    assert set(found.__all__) == own
    assert list(found.__all__) == sorted(found.__all__, key=lambda name: (name.islower(), name))
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        _ = found.Nothing


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_each_says_in_one_sentence_what_it_is_and_that_is_its_message(kind):
    sentence = kind.__doc__.strip().splitlines()[0]
    assert sentence.endswith(".")
    if issubclass(kind, CeleryError) and not issubclass(kind, (Retry, Reject)):
        assert str(kind()) == sentence
        assert str(kind("mine")) == "mine"


@pytest.mark.parametrize(
    ("kind", "bases"),
    [
        ("TaskPredicate", (CeleryError,)),
        ("Retry", (TaskPredicate,)),
        ("Ignore", (TaskPredicate,)),
        ("Reject", (TaskPredicate,)),
        ("NotRegistered", (KeyError, TaskError)),
        ("QueueNotFound", (KeyError, TaskError)),
        ("MaxRetriesExceededError", (TaskError,)),
        ("TimeoutError", (TaskError,)),
        ("TaskRevokedError", (TaskError,)),
        ("ChordError", (TaskError,)),
        ("SerializationError", (CeleryError, TypeError)),
        ("PluginNotFound", (found.PluginError, found.ImproperlyConfigured)),
        ("StoreUnavailable", (found.BackendError,)),
        ("BackendError", (Exception,)),
        ("WorkerShutdown", (SystemExit,)),
        ("WorkerTerminate", (SystemExit,)),
        ("AlwaysEagerIgnored", (CeleryWarning, UserWarning)),
        ("CDeprecationWarning", (DeprecationWarning,)),
    ],
)
def test_an_except_clause_written_for_celery_catches_the_same(kind, bases):
    assert issubclass(getattr(found, kind), bases[0])
    assert all(issubclass(getattr(found, kind), base) for base in bases)


def test_the_brokers_error_is_kombus():
    assert found.OperationalError is OperationalError


RETRY = Retry("message", LookupError("why"), 5)
EXAMPLES = [
    RETRY,
    Retry(exc="text", when=datetime(2031, 1, 1, tzinfo=UTC)),
    Reject("reason", requeue=True),
    MaxRetriesExceededError("m", task_args=(1,), task_kwargs={"a": 1}),
    NotRegistered("t"),
    QueueNotFound("q"),
    BackendGetMetaError("m", task_id="i"),
    BackendStoreError("m", state="SUCCESS", task_id="i"),
    found.TimeLimitExceeded(3),
    found.SoftTimeLimitExceeded(3),
    found.WorkerLostError("gone"),
    found.PluginNotFound("p"),
    found.TaskRevokedError("revoked"),
]


@pytest.mark.parametrize("error", EXAMPLES, ids=repr)
def test_an_error_is_pickled_without_loss(error):
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is type(error)
    assert (repr(back), str(back)) == (repr(error), str(error))
    assert {name: repr(value) for name, value in vars(back).items()} == {
        name: repr(value) for name, value in vars(error).items()
    }


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (RETRY, "message"),
        (Retry(exc=LookupError("why"), when=5), "Retry in 5s: LookupError('why')"),
        (Retry(exc="why", when=5.5), "Retry in 5.5s: why"),
        (Retry(when="then"), "Retry at then"),
        (NotRegistered("t"), "t"),
        (NotRegistered(), "The task is not registered in this process."),
        (QueueNotFound("q"), "q"),
        (found.TimeLimitExceeded(3), "TimeLimitExceeded(3,)"),
    ],
)
def test_how_an_error_is_shown(error, text):
    assert str(error) == text


def test_a_command_that_failed_has_an_exit_code():
    assert CeleryCommandException("m", 5).exit_code == 5


def test_raising_again_takes_the_traceback_that_was_given():
    try:
        raise LookupError("first")
    except LookupError as error:
        kept = error
    first = kept.__traceback__
    with pytest.raises(LookupError) as caught:
        reraise(LookupError, kept, first)
    assert caught.value is kept
    other = LookupError("other")
    with pytest.raises(LookupError) as again:
        reraise(LookupError, other, first)
    tracebacks = []
    tb = again.value.__traceback__
    while tb is not None:
        tracebacks.append(tb)
        tb = tb.tb_next
    assert first in tracebacks
