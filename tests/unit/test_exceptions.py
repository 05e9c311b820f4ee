"""The tree of errors: Celery's names and bases, one sentence each, pickled without loss."""

from __future__ import annotations

import inspect
import json
import pickle
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from kombu.exceptions import OperationalError

from celeriac import exceptions as found
from celeriac.exceptions import (
    BackendGetMetaError,
    BackendStoreError,
    CeleryCommandException,
    CeleryError,
    MaxRetriesExceededError,
    NotRegistered,
    QueueNotFound,
    Reject,
    Retry,
    reraise,
)

SURFACE = json.loads((Path(__file__).parents[1] / "data" / "celery-surface.json").read_text())
CLASSES = [kind for _, kind in inspect.getmembers(found, inspect.isclass) if kind.__module__ == found.__name__]


@pytest.mark.parametrize("name", SURFACE["exceptions"])
def test_every_name_of_celery_is_here(name):
    assert hasattr(found, name)


def test_all_names_exactly_what_is_defined():
    own = {kind.__name__ for kind in CLASSES} | {
        "OperationalError",
        "CeleryCommandException",
        "ContentDisallowed",
        "reraise",
    }
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


#: What each of Celery's is, nearest first, as `except` clauses and filters of warnings rely on it.
BASES = {
    "AlreadyRegistered": "TaskError CeleryError",
    "AlwaysEagerIgnored": "CeleryWarning UserWarning",
    "BackendError": "Exception",
    "BackendGetMetaError": "BackendError",
    "BackendStoreError": "BackendError",
    "CDeprecationWarning": "DeprecationWarning",
    "CPendingDeprecationWarning": "PendingDeprecationWarning",
    "CeleryCommandException": "ClickException",
    "CeleryError": "Exception",
    "CeleryWarning": "UserWarning",
    "ChordError": "TaskError CeleryError",
    "DuplicateNodenameWarning": "CeleryWarning UserWarning",
    "DuplicateTaskNameWarning": "CeleryWarning UserWarning",
    "FixupWarning": "CeleryWarning UserWarning",
    "Ignore": "TaskPredicate CeleryError",
    "ImproperlyConfigured": "CeleryError",
    "IncompleteStream": "TaskError CeleryError",
    "InvalidTaskError": "TaskError CeleryError",
    "MaxRetriesExceededError": "TaskError CeleryError",
    "NotConfigured": "CeleryWarning UserWarning",
    "NotRegistered": "KeyError LookupError TaskError CeleryError",
    "OperationalError": "KombuError",
    "QueueNotFound": "KeyError LookupError TaskError CeleryError",
    "Reject": "TaskPredicate CeleryError",
    "Retry": "TaskPredicate CeleryError",
    "SecurityError": "CeleryError",
    "SecurityWarning": "CeleryWarning UserWarning",
    "SoftTimeLimitExceeded": "Exception",
    "TaskError": "CeleryError",
    "TaskPredicate": "CeleryError",
    "TaskRevokedError": "TaskError CeleryError",
    "Terminated": "Exception",
    "TimeLimitExceeded": "Exception",
    "TimeoutError": "TaskError CeleryError",
    "WorkerLostError": "Exception",
    "WorkerShutdown": "SystemExit",
    "WorkerTerminate": "SystemExit",
}


@pytest.mark.covers(
    "exceptions.AlreadyRegistered",
    "exceptions.AlwaysEagerIgnored",
    "exceptions.BackendError",
    "exceptions.BackendGetMetaError",
    "exceptions.BackendStoreError",
    "exceptions.CDeprecationWarning",
    "exceptions.CPendingDeprecationWarning",
    "exceptions.CeleryCommandException",
    "exceptions.CeleryError",
    "exceptions.CeleryWarning",
    "exceptions.ChordError",
    "exceptions.DuplicateNodenameWarning",
    "exceptions.DuplicateTaskNameWarning",
    "exceptions.FixupWarning",
    "exceptions.Ignore",
    "exceptions.ImproperlyConfigured",
    "exceptions.IncompleteStream",
    "exceptions.InvalidTaskError",
    "exceptions.MaxRetriesExceededError",
    "exceptions.NotConfigured",
    "exceptions.NotRegistered",
    "exceptions.OperationalError",
    "exceptions.QueueNotFound",
    "exceptions.Reject",
    "exceptions.Retry",
    "exceptions.SecurityError",
    "exceptions.SecurityWarning",
    "exceptions.SoftTimeLimitExceeded",
    "exceptions.TaskError",
    "exceptions.TaskPredicate",
    "exceptions.TaskRevokedError",
    "exceptions.Terminated",
    "exceptions.TimeLimitExceeded",
    "exceptions.TimeoutError",
    "exceptions.WorkerLostError",
    "exceptions.WorkerShutdown",
    "exceptions.WorkerTerminate",
)
@pytest.mark.parametrize("name", [name for name in SURFACE["exceptions"] if name != "reraise"])
def test_an_except_clause_written_for_celery_catches_the_same(name):
    bases = [base.__name__ for base in getattr(found, name).__mro__]
    assert [base for base in bases if base in BASES[name].split()] == BASES[name].split()


@pytest.mark.parametrize(
    ("kind", "bases"),
    [
        ("SerializationError", (CeleryError, TypeError)),
        ("PluginNotFound", (found.PluginError, found.ImproperlyConfigured)),
        ("StoreUnavailable", (found.BackendError,)),
    ],
)
def test_ours_are_among_them(kind, bases):
    assert all(issubclass(getattr(found, kind), base) for base in bases)


@pytest.mark.covers("exceptions.OperationalError")
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
    CeleryCommandException("m", exit_code=5),
]


@pytest.mark.covers("exceptions.BackendGetMetaError", "exceptions.BackendStoreError")
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


@pytest.mark.covers("exceptions.CeleryCommandException")
def test_a_command_that_failed_ends_the_program_with_its_message_and_exit_code():
    @click.command
    def failing():
        raise CeleryCommandException("no such queue", exit_code=5)

    ended = CliRunner().invoke(failing)

    assert (ended.exit_code, ended.output) == (5, "Error: no such queue\n")


@pytest.mark.covers("exceptions.reraise")
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
