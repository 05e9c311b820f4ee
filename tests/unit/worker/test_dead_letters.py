"""Which messages are kept when they will not be run, in what form, and where they go from there."""

from __future__ import annotations

import uuid

import pytest
from kombu import Queue

from celeriac.app.base import Celery
from celeriac.app.dead_letters import DeadLetters as Letters
from celeriac.contracts.outcome import OutcomeKind
from celeriac.contracts.pool import Job
from celeriac.protocol.dead_letter import story_of
from celeriac.worker.dead_letters import DeadLetters
from celeriac.worker.settlement import Verdict

BROKERS_OWN = Queue("own", queue_arguments={"x-dead-letter-exchange": "graveyard"})


@pytest.fixture
def app():
    url = f"memory://{uuid.uuid4()}"
    with Celery("proj", broker=url, backend=url, set_as_current=False) as app:
        yield app


@pytest.fixture
def letters(app):
    return DeadLetters(app, "w@host", [Queue("tasks"), BROKERS_OWN])


@pytest.fixture
def bury(app, letters, message):
    """Return ``bury(number, **headers)``: puts the dead letter of such a message into its queue."""

    def put(number, **headers):
        delivery = message(number, **headers)._replace(queue="tasks", properties={"priority": 3, "expiration": "1"})
        with app.publisher.lanes.lend() as lane:
            lane.publish([letters.letter(delivery, "tasks", OutcomeKind.INVALID, "no good")])
        return delivery

    return put


@pytest.mark.parametrize(
    ("decided", "kind", "queue", "final"),
    [
        (Verdict.ACK, OutcomeKind.SUCCESS, "tasks", Verdict.ACK),
        (Verdict.REDELIVER, OutcomeKind.WORKER_LOST, "tasks", Verdict.REDELIVER),
        (Verdict.BURY, OutcomeKind.WORKER_LOST, "tasks", Verdict.BURY),
        (Verdict.REJECT, OutcomeKind.INVALID, "tasks", Verdict.BURY),
        (Verdict.REJECT, OutcomeKind.UNKNOWN_TASK, "tasks", Verdict.BURY),
        (Verdict.REJECT, OutcomeKind.DELIVERY_LIMIT, "tasks", Verdict.BURY),
        # What a task or a setting drops on purpose is dropped.
        (Verdict.REJECT, OutcomeKind.REJECTED, "tasks", Verdict.REJECT),
        (Verdict.REJECT, OutcomeKind.FAILURE, "tasks", Verdict.REJECT),
        # A broker that keeps dead letters itself does so, of all kinds.
        (Verdict.BURY, OutcomeKind.WORKER_LOST, "own", Verdict.REJECT),
        (Verdict.REJECT, OutcomeKind.INVALID, "own", Verdict.REJECT),
    ],
)
def test_the_reason_and_the_queue_decide_whether_a_message_is_kept(letters, decided, kind, queue, final):
    assert letters.final(decided, kind, queue) is final


def test_the_setting_says_which_reasons_count(app):
    app.conf.task_dead_letters = ["rejected"]
    letters = DeadLetters(app, "w@host", [])
    assert letters.final(Verdict.REJECT, OutcomeKind.REJECTED, "tasks") is Verdict.BURY
    assert letters.final(Verdict.REJECT, OutcomeKind.INVALID, "tasks") is Verdict.REJECT
    # What has killed its process too often is not run again, kept or not.
    assert letters.final(Verdict.BURY, OutcomeKind.WORKER_LOST, "tasks") is Verdict.ACK


def test_a_letter_is_the_message_as_it_was_and_tells_its_story(letters, message):
    delivery = message(1)._replace(
        exchange="ex", routing_key="rk", properties={"priority": 3, "expiration": "1000", "reply_to": None}
    )
    letter = letters.letter(delivery, "tasks", OutcomeKind.INVALID, "x" * 5000)
    assert (letter.body, letter.content_type, letter.routing_key) == (delivery.body, "application/json", "tasks.dlq")
    # The broker must not drop it when the message would have expired.
    assert letter.properties == {"priority": 3}
    story = story_of(letter.headers)
    assert len(story.pop("error")) == 1024
    assert story.pop("time").endswith("+00:00")
    assert story == {"reason": "invalid", "queue": "tasks", "exchange": "ex", "routing_key": "rk", "worker": "w@host"}
    assert {key: letter.headers[key] for key in delivery.headers} == delivery.headers
    assert "dead_letter" not in delivery.headers


def test_a_letter_of_a_message_without_readable_headers_can_be_kept(letters, message):
    letter = letters.letter(message(1)._replace(headers=["no", "map"]), "tasks", OutcomeKind.INVALID, None)
    assert list(letter.headers) == ["dead_letter"]


def test_a_letter_of_a_job_goes_back_to_where_its_message_came_from(letters):
    info = {"exchange": "", "routing_key": "tasks", "priority": 7, "redelivered": True}
    job = Job(1, {"id": "a", "task": "t"}, b"[]", "application/json", "utf-8", info, {"reply_to": "r"})
    letter = letters.letter(job, "tasks", OutcomeKind.WORKER_LOST, "died")
    assert letter.properties == {"reply_to": "r", "priority": 7, "delivery_mode": 2}
    assert story_of(letter.headers)["routing_key"] == "tasks"


# -- for people and programs -------------------------------------------------------------------------------------------


def test_letters_are_counted_and_shown_oldest_first_and_stay_in_their_place(app, bury):
    for number in (1, 2, 3):
        bury(number, argsrepr="(1,)")
    letters = Letters(app)
    assert letters.counts(["tasks", "nowhere"]) == {"tasks": 3, "nowhere": 0}
    for _ in range(2):
        shown = letters.show("tasks", limit=2)
        assert [letter.task_id for letter in shown] == ["id-1", "id-2"]
        assert shown[0][1:4] == ("proj.work", "invalid", "no good")
        assert (shown[0].worker, shown[0].args) == ("w@host", "(1,)")
    assert letters.counts(["tasks"]) == {"tasks": 3}
    assert letters.show("nowhere") == []


def test_letters_are_sent_again_as_they_were_all_or_some(app, bury):
    for number in (1, 2, 3):
        bury(number)
    letters = Letters(app)
    assert letters.requeue("tasks", {"id-2", "id-of-nobody"}) == 1
    assert [letter.task_id for letter in letters.show("tasks")] == ["id-1", "id-3"]
    assert letters.requeue("tasks") == 2
    assert letters.counts(["tasks"]) == {"tasks": 0}
    with app.connection_for_write() as connection:
        channel = connection.channel()
        back = [channel.basic_get("celery", no_ack=True) for _ in range(3)]
    assert [message.headers["id"] for message in back] == ["id-2", "id-1", "id-3"]
    assert all("dead_letter" not in message.headers for message in back)
    assert back[0].properties["priority"] == 3


def test_letters_are_removed_all_or_some(app, bury):
    for number in (1, 2, 3):
        bury(number)
    letters = Letters(app)
    assert letters.purge("tasks", {"id-1"}) == 1
    assert letters.purge("tasks") == 2
    assert letters.show("tasks") == []
