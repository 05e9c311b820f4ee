"""What the options of each command do."""

from __future__ import annotations

import logging
import os
import sys
import uuid

import pytest

from celeriac.app.base import Celery
from celeriac.app.current import set_current_app, set_default_app
from celeriac.bootsteps import Step
from celeriac.contracts import Middleware
from celeriac.plugin import hookimpl


@pytest.fixture
def app():
    url = f"memory://{uuid.uuid4()}"
    app = Celery("proj", broker=url, backend=url, set_as_current=False)
    app.task(name="tasks.add")(lambda x, y: x + y)
    yield app
    app.close()


def taken(app, queue):
    """The messages in the queue."""
    found = []
    with app.connection_for_read() as connection:
        bound = app.amqp.queues[queue](connection.default_channel)
        while (message := bound.get()) is not None:
            found.append(message)
            message.ack()
    return found


class Recorder:
    """A plugin that notes each message on its way out."""

    def __init__(self, messages):
        self.messages = messages

    @hookimpl
    def celeriac_publish_middleware(self):
        return [Middleware(100, lambda message, call_next: self.messages.append(message) or call_next(message), "r")]


# -- worker ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def started(celeriac, app):
    """Return ``started(*options)``: the worker that the command line makes of them, which ends before it begins."""
    made = []

    class Ending(Step):
        def __init__(self, parent, **options):
            made.append((parent, options))
            raise SystemExit(0)

    def start(*options):
        app.steps["worker"].add(Ending)
        code, _, errors = celeriac("-q", "worker", "-P", "solo", *options, app=app)
        assert code == 0, errors
        return made[-1]

    return start


@pytest.mark.covers("cli.worker")
def test_a_worker_takes_its_name_its_size_and_its_limits(started):
    worker, _ = started(
        *("-n", "one@%n", "-c", "3", "-l", "CRITICAL", "--prefetch-multiplier", "2", "--max-tasks-per-child", "9"),
        *("--max-memory-per-child", "1000", "--time-limit", "60", "--soft-time-limit", "50", "-O", "fair"),
    )

    assert worker.hostname == "one@" + os.uname().nodename.partition(".")[0]
    assert (worker.concurrency, worker.loglevel, worker.prefetch_multiplier) == (3, logging.CRITICAL, 2)
    assert {name: worker.pool_options[name] for name in ("max_tasks_per_child", "max_memory_per_child")} == {
        "max_tasks_per_child": 9,
        "max_memory_per_child": 1000,
    }
    assert (worker.pool_options["time_limit"], worker.pool_options["soft_time_limit"]) == (60, 50)


@pytest.mark.covers("cli.worker")
@pytest.mark.parametrize(
    ("options", "queues"), [((), ["one", "two"]), (("-Q", "two,three"), ["two", "three"]), (("-X", "one"), ["two"])]
)
def test_a_worker_listens_to_the_queues_that_are_chosen(started, app, options, queues):
    app.conf.task_queues = {"one": {}, "two": {}}

    worker, _ = started(*options)

    assert [queue.name for queue in worker.queues] == queues


@pytest.mark.covers("cli.worker")
def test_a_worker_imports_what_is_included_and_logs_where_it_is_told(started, tmp_path, monkeypatch):
    (tmp_path / "more_tasks.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)

    worker, _ = started("-I", "more_tasks", "-l", "WARNING", "-f", str(tmp_path / "worker.log"))

    assert "more_tasks" in sys.modules
    assert "more_tasks" in worker.task_modules
    logging.getLogger("anything").warning("to the file")
    assert "to the file" in (tmp_path / "worker.log").read_text()
    del sys.modules["more_tasks"]


@pytest.mark.covers("cli.worker.--disable-prefetch")
def test_a_worker_may_be_told_to_claim_nothing_ahead(started):
    assert not started()[0].app.conf.worker_disable_prefetch
    assert started("--disable-prefetch")[0].app.conf.worker_disable_prefetch


@pytest.mark.covers("cli.worker")
def test_a_worker_may_be_told_not_to_talk_with_others(started):
    _, options = started(
        "--without-gossip", "--without-mingle", "--without-heartbeat", "--heartbeat-interval", "9", "-E"
    )

    assert options["without_gossip"]
    assert options["without_mingle"]
    assert options["without_heartbeat"]
    assert (options["heartbeat_interval"], options["task_events"]) == (9, True)


@pytest.mark.covers("cli.worker")
def test_a_worker_may_begin_with_empty_queues(celeriac, app):
    class Ending(Step):
        """Ends the worker as soon as its blueprint is started."""

        def __init__(self, parent, **options):
            signals.worker_ready.connect(lambda **_: parent.stop(), weak=False, dispatch_uid="ending")

    from celeriac import signals

    app.steps["worker"].add(Ending)
    app.send_task("tasks.add", (1, 2))
    try:
        code, _, errors = celeriac("-q", "worker", "-P", "solo", "--purge", "-l", "CRITICAL", app=app)
    finally:
        signals.worker_ready.disconnect(dispatch_uid="ending")

    assert code == 0, errors
    assert taken(app, "celery") == []


# -- call, result, purge -----------------------------------------------------------------------------------------------


@pytest.mark.covers("cli.call")
def test_call_says_when_and_how(celeriac, app):
    when = "2999-01-01T00:00:00+00:00"
    sent = []
    app.plugins.register(Recorder(sent))

    code, output, errors = celeriac("call", "tasks.add", "--eta", when, "--serializer", "json", app=app)

    assert code == 0, errors
    [message] = sent
    assert (message.headers["id"], message.headers["eta"]) == (output.strip(), when)
    assert message.content_type == "application/json"


@pytest.mark.covers("cli.call")
def test_call_may_name_an_exchange(celeriac, app):
    from kombu import Exchange, Queue

    app.conf.task_queues = [Queue("parcels", Exchange("post"), routing_key="parcel")]
    with app.connection_for_write() as connection:
        app.amqp.queues["parcels"](connection.default_channel).declare()

    code, _, errors = celeriac("call", "tasks.add", "--exchange", "post", "--routing-key", "parcel", app=app)

    assert code == 0, errors
    assert len(taken(app, "parcels")) == 1


@pytest.mark.covers("cli.result")
def test_result_takes_the_name_of_the_task_as_celerys_does(celeriac, app):
    app.results.store_state("i", "SUCCESS", 5)

    assert celeriac("result", "i", "--task", "tasks.add", app=app) == (0, "5\n", "")


@pytest.mark.covers("cli.purge")
def test_purge_empties_the_queues_that_are_named(celeriac, app):
    for queue in ("one", "two"):
        app.send_task("tasks.add", (1, 2), queue=queue)

    assert celeriac("purge", "-f", "-Q", "one", app=app)[1] == "1 message removed\n"

    assert (len(taken(app, "one")), len(taken(app, "two"))) == (0, 1)


# -- global ------------------------------------------------------------------------------------------------------------


@pytest.mark.covers("cli")
def test_the_configuration_and_the_loader_of_the_default_app_may_be_named(celeriac, tmp_path, monkeypatch):
    (tmp_path / "my_settings.py").write_text("task_default_queue = 'of the file'\nbroker_url = 'memory://'\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("CELERY_CONFIG_MODULE", "CELERY_LOADER"):
        monkeypatch.setenv(name, "")  # so that what the command sets is undone
        monkeypatch.delenv(name)
    set_current_app(None)
    set_default_app(None)

    code, output, errors = celeriac("--config", "my_settings", "--loader", "default", "--skip-checks", "report")

    set_current_app(None)
    set_default_app(None)
    assert code == 0, errors
    assert "task_default_queue: 'of the file'" in output


@pytest.mark.covers("cli")
def test_it_tells_its_version(celeriac):
    from importlib.metadata import version

    code, output, _ = celeriac("--version")

    assert (code, output) == (0, f"celeriac, version {version('celeriac')}\n")
