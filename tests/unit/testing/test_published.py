"""What was sent is seen as it leaves the serializer, and asserted."""

from __future__ import annotations

import pytest

from celeriac.contrib.testing.app import TestApp
from celeriac.testing import published, start_worker


@pytest.fixture
def app():
    with TestApp("proj") as app:
        yield app


@pytest.fixture
def add(app):
    return app.task(name="proj.add")(lambda x, y: x + y)


def test_a_message_is_found_by_what_it_says(app, add):
    add.delay(0, 0)  # the publisher is in use already
    with published(app) as sent:
        add.apply_async((1, 2), queue="sums", priority=3, headers={"tenant": "a"}, compression="gzip")
        app.send_task("proj.other", kwargs={"x": 1}, countdown=60)
    found = sent.assert_published(
        add, times=1, args=(1, 2), queue="sums", headers={"tenant": "a"}, properties={"priority": 3}
    )
    assert str(found) == "proj.add(1, 2) to sums"
    assert sent.assert_published("proj.other", kwargs={"x": 1}).eta is not None
    add.delay(3, 3)  # nobody looks any more
    assert [message.name for message in sent] == ["proj.add", "proj.other"]


def test_what_is_looked_at_arrives_unless_it_is_held_back(app, add):
    with start_worker(app):
        with published(app):
            assert add.delay(1, 2).get(timeout=10) == 3
        with published(app, deliver=False) as sent:
            assert add.delay(1, 2).state == "PENDING"
    sent.assert_published(add)
    assert app.amqp.queues["celery"](app.connection_for_read().channel()).get() is None


def test_a_message_of_the_old_protocol_is_read_as_well(app, add):
    app.conf.task_protocol = 1
    with published(app) as sent:
        result = add.delay(1, 2)
    assert sent.assert_published(add, args=[1, 2]).id == result.id


def test_a_failed_assertion_says_what_was_sent_instead(app, add):
    with published(app) as sent:
        add.delay(1, y=2)
        with pytest.raises(AssertionError, match=r"proj\.add, queue='sums': .*0 times\. Sent: proj\.add\(1, y=2\)"):
            sent.assert_published(add, queue="sums")
        with pytest.raises(AssertionError, match="to be sent 2 times, and was 1 times"):
            sent.assert_published(add, times=2)
        with pytest.raises(AssertionError, match="nothing was to be sent"):
            sent.assert_nothing_published()
        sent.assert_nothing_published("proj.other")
        with pytest.raises(TypeError, match="has no 'que'"):
            sent.assert_published(add, que="sums")
