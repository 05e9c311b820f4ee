"""Signatures that somebody has damaged: one error where they are read, and an outcome where they are called."""

from __future__ import annotations

import json
import pickle
import sys

import pytest

from celeriac import chain, chord, xmap
from celeriac.canvas.signature import Signature, maybe_signature, signature
from celeriac.contracts.backend import StoredResult
from celeriac.contracts.chords import NewChord
from celeriac.exceptions import ChordError, ProtocolError
from celeriac.protocol.results import build_meta

WITHOUT_TASKS = {"task": "celery.chain", "kwargs": {}, "subtask_type": "chain"}
DAMAGED = {
    "a chain without tasks": WITHOUT_TASKS,
    "a chord without a header": {"task": "celery.chord", "kwargs": {"body": {"task": "t"}}, "subtask_type": "chord"},
    "no kwargs": {"task": "celery.group", "subtask_type": "group"},
    "no task": {"args": [1]},
    "a name that is a list": {"task": ["t"]},
    "a kind that is a map": {"task": "t", "subtask_type": {}},
    "arguments that are a number": {"task": "t", "args": 5},
    "inside": {"task": "celery.group", "kwargs": {"tasks": [WITHOUT_TASKS]}, "subtask_type": "group"},
    "a map of nothing": {"task": "celery.map", "kwargs": {"task": {"task": "t"}}},
}


@pytest.mark.parametrize("damaged", DAMAGED.values(), ids=DAMAGED)
@pytest.mark.parametrize("read", [Signature.from_dict, maybe_signature, signature, chain.from_dict, xmap.from_dict])
def test_reading_raises_one_error(damaged, read):
    with pytest.raises(ProtocolError, match=r"^signature[.\[].*: expected .*; a signature is what task.s"):
        read(damaged)


def test_what_is_no_map_is_told_of():
    with pytest.raises(ProtocolError, match=r"^signature: expected a signature \(a map\), found int 5"):
        Signature.from_dict(5)


@pytest.fixture
def usual_stack():
    """As deep a stack as Python has where nobody, as mypy does in the tests of types, has asked for more."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(1000)
    yield
    sys.setrecursionlimit(before)


@pytest.mark.parametrize("kind", ["group", "chain"])
def test_nesting_that_no_stack_takes_is_the_same_error(usual_stack, kind):
    def nested(count):
        value = {"task": "t"}
        for _ in range(count):
            value = {"task": f"celery.{kind}", "kwargs": {"tasks": [value]}, "subtask_type": kind}
        return value

    def deeper(frames, read):
        return read() if frames == 0 else deeper(frames - 1, read)

    # Given more than is read, and as much as is read where the stack is nearly full
    with pytest.raises(ProtocolError, match="more than 166 signatures in each other"):
        Signature.from_dict(nested(1000))
    with pytest.raises(ProtocolError, match="deeper than this thread's stack allows"):
        deeper(700, lambda: Signature.from_dict(nested(160)))

    # Then what is read can be shown as far as the stack allows
    found = Signature.from_dict(nested(160))
    shown = deeper(600, lambda: repr(found))
    assert shown == "t()" if kind == "chain" else "celery.group(...)" in shown


def test_a_pickle_of_a_signature_with_nothing_in_it_can_be_shown():
    assert repr(pickle.loads(b"cceleriac.canvas\nSignature\n)\x81.")) == "None(...)"


def test_a_header_that_is_a_list_is_that_of_a_group(tasks, app):
    # Given a chord before it is frozen, as Celery writes it, with a body and without
    canvas = chord([tasks.add.s(1, 1), tasks.add.s(2, 2)], tasks.sum_up.s())
    written = json.loads(json.dumps(canvas))
    assert isinstance(written["kwargs"]["header"], list)

    # Then its tasks are found
    names = [leaf["task"] for leaf in Signature.from_dict(written, app=app).leaves()]
    assert names == ["add", "add", "sum_up"]
    del written["kwargs"]["body"]
    assert [leaf["task"] for leaf in Signature.from_dict(written, app=app).leaves()] == ["add", "add"]


def test_an_application_may_read_its_own_kind(app, monkeypatch):
    # Given a kind of the application's, which reads its maps itself
    monkeypatch.setattr(Signature, "TYPES", dict(Signature.TYPES))

    @Signature.register_type()
    class Shout(Signature):
        @classmethod
        def from_dict(cls, d, app=None):
            found = super().from_dict(d, app=app)
            found["options"]["loud"] = True
            return found

    # Then it is asked, also for one that is inside of another
    written = {"task": "celery.group", "subtask_type": "group"}
    written["kwargs"] = {"tasks": [{"task": "t", "subtask_type": "Shout"}]}
    [found] = Signature.from_dict(written, app=app).tasks
    assert found["options"] == {"loud": True}


class TestCalling:
    @pytest.fixture
    def app(self, make_app):
        return make_app(task_protocol_compat=False)

    @pytest.mark.parametrize("link", ["link", "link_error"])
    def test_a_message_with_one_is_refused(self, worker, tasks, app, link):
        result = app.send_task("identity", (1,), **{link: [WITHOUT_TASKS]})
        with pytest.raises(ProtocolError, match=r"cannot be read: (callbacks|errbacks)\[0\].kwargs.tasks: expected a"):
            result.get(timeout=10)
        assert tasks.identity.delay(2).get(timeout=10) == 2

    def test_a_damaged_step_that_is_kept_fails_the_task_before(self, worker, tasks, app):
        # Given a chain whose second step is damaged in the store
        stub = {"task": "add", "options": {"task_id": "second", "kept": True}}
        app.results.store([StoredResult("second", "PENDING", {**build_meta("second", "PENDING", None), "call": 5})])

        # When the first has run, then it has failed, and so has the second
        result = app.send_task("identity", (1,), chain=[stub])
        with pytest.raises(ProtocolError, match=r"^signature: expected a signature \(a map\), found int 5"):
            result.get(timeout=10)
        with pytest.raises(ProtocolError, match=r"^signature: expected a signature \(a map\), found int 5"):
            app.AsyncResult("second").get(timeout=10)

    @pytest.mark.parametrize(
        "kept",
        [WITHOUT_TASKS, {"task": "add", "options": {"task_id": "body", "countdown": "later"}}],
        ids=["damaged", "with a countdown that is none"],
    )
    def test_a_body_that_cannot_be_called_fails_and_the_header_does_not_run_again(
        self, worker, tasks, app, diary, kept
    ):
        # Given a chord whose body, in the store, cannot be called
        app.backend.start_chords([NewChord("group", 1, kept)])
        stub = {"task": "add", "options": {"task_id": "body", "kept": True}}

        # When its header is complete
        result = app.send_task("identity", (1,), group_id="group", group_index=0, chord=stub)

        # Then the body has failed, and says why; the task of the header ran once
        with pytest.raises(ChordError, match="the body of chord group cannot be called: "):
            app.AsyncResult("body").get(timeout=10)
        assert result.get(timeout=10) == 1
        assert tasks.identity.delay(2).get(timeout=10) == 2
        assert diary.take() == {"('identity', 1)": 1, "('identity', 2)": 1}

    def test_a_body_that_takes_other_arguments_fails_and_its_errbacks_are_told(self, worker, tasks, diary, wait_until):
        body = tasks.add.s(2, 3).on_error(tasks.errback.s())
        result = chord([tasks.identity.s(1), tasks.identity.s(2)], body)()
        with pytest.raises(ChordError, match="cannot be called: TypeError"):
            result.get(timeout=10)
        wait_until(lambda: sum(diary.calls.values()) == 3, timeout=10)
        calls = diary.take()
        assert calls["('identity', 1)"] == calls["('identity', 2)"] == 1

    def test_one_bad_body_does_not_keep_others_from_being_called(self, worker, tasks):
        good = [chord([tasks.identity.s(n)], tasks.sum_up.s())() for n in range(5)]
        bad = [chord([tasks.identity.s(n)], tasks.add.s(2, 3))() for n in range(5)]
        assert [result.get(timeout=10) for result in good] == [0, 1, 2, 3, 4]
        for result in bad:
            with pytest.raises(ChordError, match="cannot be called: TypeError"):
                result.get(timeout=10)

    def test_steps_of_a_hand_written_chain_get_their_ids(self, worker, tasks, app, diary, wait_until):
        # Given a message whose chain, in reverse, has nobody settled
        inner = {"task": "celery.chain", "subtask_type": "chain"}
        inner["kwargs"] = {"tasks": [{"task": "add", "args": [1]}, {"task": "add", "args": [2]}]}
        app.send_task("identity", (1,), chain=[{"task": "identity"}, inner, inner])

        # Then each step is called with what the one before has returned
        wait_until(lambda: diary.calls["('identity', 7)"] == 1, timeout=10)
