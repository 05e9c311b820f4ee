"""A worker: begins when all its parts do, ends in one of three ways, and leaves nothing in a state between."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
import uuid
from typing import ClassVar

import pytest
from kombu.asynchronous import get_event_loop
from kombu.exceptions import OperationalError

from celeriac import signals
from celeriac.app.base import Celery
from celeriac.bootsteps import StartStopStep
from celeriac.contracts import Loader
from celeriac.exceptions import ImproperlyConfigured, PluginNotFound, WorkerShutdown
from celeriac.plugin import hookimpl
from celeriac.worker.banner import banner
from celeriac.worker.boot import concurrency_of
from celeriac.worker.consumer import Consumer


@pytest.fixture
def app():
    url = f"memory://{uuid.uuid4()}"
    app = Celery("proj", broker=url, backend=url, set_as_current=False)
    yield app
    app.close()


@pytest.fixture
def heard():
    """The signals of workers that were sent, with their arguments."""
    found = []
    names = (
        "celeryd_init",
        "celeryd_after_setup",
        "worker_init",
        "worker_ready",
        "worker_shutting_down",
        "worker_shutdown",
    )
    for name in names:

        def hear(name=name, **arguments):
            found.append((name, arguments))

        getattr(signals, name).connect(hear, weak=False, dispatch_uid="test_boot")
    yield found
    for name in names:
        getattr(signals, name).disconnect(dispatch_uid="test_boot")


def descriptors():
    return set(os.listdir("/proc/self/fd"))


# -- options -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, "", "auto", 0, "0"])
def test_concurrency_is_the_processors_that_there_are_unless_somebody_says_a_number(value):
    assert concurrency_of(value) == len(os.sched_getaffinity(0))
    assert concurrency_of(3) == concurrency_of("3") == 3


@pytest.mark.parametrize("value", ["many", -1, "-1", "1.5"])
def test_a_concurrency_that_is_none_is_an_error(value):
    with pytest.raises(ImproperlyConfigured, match=r"must be a number from 1, or 'auto', not "):
        concurrency_of(value)


@pytest.mark.parametrize(
    ("given", "pattern"), [(None, "celery@{host}"), ("w1", "w1@{host}"), ("w1@%n", "w1@{name}"), ("a@b", "a@b")]
)
def test_the_node_name_may_hold_signs_for_the_host(app, given, pattern):

    host = socket.gethostname()
    assert app.Worker(hostname=given, pool="solo").hostname == pattern.format(host=host, name=host.partition(".")[0])


def test_queues_are_chosen_and_left_out_and_none_left_is_an_error(app):
    assert [queue.name for queue in app.Worker(pool="solo", queues="a, b").queues] == ["a", "b"]
    assert [queue.name for queue in app.Worker(pool="solo", exclude_queues=["a"]).queues] == ["b"]
    with pytest.raises(ImproperlyConfigured, match="no queue: check --queues"):
        app.Worker(pool="solo", exclude_queues="b")


def test_receivers_of_celeryd_after_setup_may_add_a_queue(app):
    def add(sender, instance, **_):
        instance.app.amqp.queues.select_add(f"{sender}.own")

    signals.celeryd_after_setup.connect(add)
    assert "w1@host.own" in [queue.name for queue in app.Worker(hostname="w1@host", pool="solo").queues]
    signals.celeryd_after_setup.disconnect(add)


def test_a_pool_that_nobody_offers_is_an_error_with_the_nearest_name(app):
    with pytest.raises(PluginNotFound, match="Did you mean 'solo'"):
        app.Worker(pool="sollo")


@pytest.mark.covers("settings.imports", "settings.include")
def test_modules_with_tasks_are_imported(app, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    name = f"tasks_{uuid.uuid4().hex}"
    (tmp_path / f"{name}.py").write_text("imported = True\n")
    app.Worker(pool="solo", include=[name])
    assert sys.modules.pop(name).imported


class Telling(Loader):
    """A loader of a user that wants to know."""

    told: ClassVar[list[str]] = []

    @property
    def default_modules(self):
        return [*super().default_modules, "json.tool"]

    def import_task_module(self, module):
        self.told.append(f"import {module}")
        return super().import_task_module(module)

    def init_worker(self):
        self.told.append("init")
        super().init_worker()

    def on_worker_init(self):
        self.told.append("on init")

    def shutdown_worker(self):
        self.told.append("shutdown")
        super().shutdown_worker()

    def on_worker_shutdown(self):
        self.told.append("on shutdown")


def test_a_loader_of_a_user_is_told_of_the_life_of_the_worker_and_says_what_it_imports(start_worker):
    Telling.told.clear()
    url = f"memory://{uuid.uuid4()}"
    with Celery("proj", broker=url, backend=url, set_as_current=False, loader=Telling, imports=["json"]) as app:
        worker, thread = start_worker(app)
        assert Telling.told == ["init", "on init", "import json", "import json.tool"]
        worker.stop()
        thread.join()
        assert Telling.told[4:] == ["shutdown", "on shutdown"]
        assert [module.__name__ for module in app.loader.import_default_modules()] == ["json", "json.tool"]


class OwnConsumer(Consumer):
    """A consumer of a user."""


@pytest.mark.covers("settings.worker_consumer")
def test_the_consumer_is_of_the_class_that_is_set(app, start_worker):
    app.conf.worker_consumer = f"{__name__}:OwnConsumer"
    worker, _ = start_worker(app)
    assert type(worker.consumer) is OwnConsumer


@pytest.mark.covers(
    "settings.task_time_limit",
    "settings.task_soft_time_limit",
    "settings.worker_max_memory_per_child",
    "settings.worker_max_tasks_per_child",
)
def test_options_and_settings_reach_the_pool(app):
    app.conf.update(task_time_limit=7, task_soft_time_limit=6, worker_max_memory_per_child=1000)
    app.conf.worker_max_tasks_per_child = 9
    worker = app.Worker(pool="solo", max_tasks_per_child=5)
    assert worker.pool_options["max_tasks_per_child"] == 5
    assert worker.pool_options["time_limit"] == 7
    assert worker.pool_options["soft_time_limit"] == 6
    assert worker.pool_options["max_memory_per_child"] == 1000
    assert app.Worker(pool="solo").pool_options["max_tasks_per_child"] == 9


# -- steps -------------------------------------------------------------------------------------------------------------


def test_steps_of_plugins_and_users_start_before_the_worker_is_ready_and_get_the_options(app, start_worker, heard):
    told = []

    class Mine(StartStopStep):
        requires = ("Pool",)

        def __init__(self, parent, speed=None, **options):
            super().__init__(parent, **options)
            told.append(f"speed {speed}")

        def start(self, parent):
            told.append("start")

        def stop(self, parent):
            told.append("stop")

    class Plugin:
        @hookimpl
        def celeriac_worker_steps(self, app):
            return [type("OfPlugin", (Mine,), {"name": "of.Plugin"})]

        @hookimpl
        def celeriac_consumer_steps(self, app):
            return [type("OfConsumer", (Mine,), {"name": "of.Consumer", "requires": ()})]

    app.plugins.register(Plugin())
    app.steps["worker"].add(Mine)
    worker, thread = start_worker(app, speed=3)
    assert told == ["speed 3"] * 3 + ["start"] * 3
    worker.stop()
    thread.join(10)
    assert told[6:] == ["stop"] * 3


def test_a_step_that_cannot_be_made_leaves_nothing_open(app):
    class Failing(StartStopStep):
        requires = ("Pool",)

        def create(self, parent):
            raise LookupError("on purpose")

    app.steps["worker"].add(Failing)
    app.amqp, app.backend  # noqa: B018  # what they open stays open
    before = descriptors()
    with pytest.raises(LookupError):
        app.Worker(pool="solo")
    assert descriptors() <= before


@pytest.mark.parametrize("pool", ["solo", "prefork", "threads"])
def test_a_step_that_fails_at_its_start_ends_the_worker_with_its_error_and_no_child_is_left(app, start_worker, pool):
    class Failing(StartStopStep):
        name = "tests.Failing"
        requires = ("Pool",)

        def start(self, parent):
            raise LookupError("on purpose")

    app.steps["worker"].add(Failing)
    with pytest.raises(LookupError, match="on purpose"):
        start_worker(app, pool=pool, concurrency=2)
    assert multiprocessing.active_children() == []
    assert children() == []


def children():
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as stat:
                    fields = stat.read().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == os.getpid() and fields[0] not in "ZX":
                found.append(int(entry))
    return found


@pytest.mark.parametrize("pool", ["solo", "prefork", "threads"])
def test_a_broker_that_is_away_ends_the_worker_with_its_error_and_no_child_is_left(make_app, start_worker, pool, heard):
    app = make_app("kombu.transport.pyamqp:Transport", "amqp://127.0.0.1:1//", broker_connection_retry_on_startup=False)
    with pytest.raises(OperationalError, match="cannot reach the broker"):
        start_worker(app, pool=pool, concurrency=2)
    assert children() == []
    assert [name for name, _ in heard] == ["celeryd_init", "celeryd_after_setup", "worker_init", "worker_shutdown"]


def test_kombus_loop_is_the_workers_while_it_runs(app, start_worker):
    worker, thread = start_worker(app)
    assert get_event_loop() is worker.hub
    worker.stop()
    thread.join(10)
    assert get_event_loop() is None


# -- beginning and ending ----------------------------------------------------------------------------------------------


def test_signals_tell_of_the_life_of_a_worker_in_its_order(app, start_worker, heard):
    worker, thread = start_worker(app, hostname="w1@host")
    worker.stop()
    thread.join(10)
    assert [name for name, _ in heard] == [
        "celeryd_init",
        "celeryd_after_setup",
        "worker_init",
        "worker_ready",
        "worker_shutting_down",
        "worker_shutdown",
    ]
    arguments = dict(heard)
    assert arguments["celeryd_init"]["sender"] == "w1@host"
    assert arguments["worker_ready"]["sender"] is worker.consumer
    assert (arguments["worker_shutting_down"]["how"], arguments["worker_shutting_down"]["exitcode"]) == ("Warm", 0)


def test_a_worker_that_was_stopped_before_it_began_does_not_begin(app, heard):
    worker = app.Worker(pool="prefork", concurrency=2)
    worker.stop()
    assert worker.start() == 0
    assert children() == []
    assert [name for name, _ in heard][-1] == "worker_shutdown"
    assert "worker_ready" not in [name for name, _ in heard]
    assert worker.hub.is_closed


def test_a_worker_runs_once(app):
    worker = app.Worker(pool="solo")
    worker.stop()
    worker.start()
    with pytest.raises(RuntimeError, match="make another one"):
        worker.start()
    worker.stop()
    worker.terminate()


def test_stopping_twice_is_still_warm_and_the_exit_code_is_that_of_the_caller(app, start_worker):
    began, finish, ran = threading.Event(), threading.Event(), []

    @app.task
    def work():
        began.set()
        assert finish.wait(20)
        ran.append(1)

    worker, thread = start_worker(app, pool="threads", concurrency=1)
    work.delay()
    assert began.wait(10)
    worker.stop(exitcode=7)
    worker.stop()
    finish.set()
    thread.join(10)
    assert ran == [1]
    assert worker.exit_code == 7


@pytest.mark.parametrize("pool", ["solo", "threads", "prefork"])
def test_a_worker_leaves_no_descriptor_no_thread_and_no_child_behind(celeriac_home, start_worker, pool):
    app = Celery(f"app-{uuid.uuid4()}", set_as_current=False)

    @app.task
    def work():
        return 1

    def live():
        worker, thread = start_worker(app, pool=pool, concurrency=2)
        assert work.delay().get(timeout=20) == 1
        worker.stop()
        thread.join(20)
        assert not thread.is_alive()

    live()  # what is opened once stays open
    before, threads = descriptors(), threading.active_count()
    live()
    assert descriptors() <= before
    assert threading.active_count() <= threads
    assert children() == []
    app.close()


def test_a_cold_stop_from_another_thread_ends_running_tasks_as_lost(app, start_worker, wait_until):
    began, finish = threading.Event(), threading.Event()
    outcomes = []

    class Plugin:
        @hookimpl
        def celeriac_outcome_listeners(self, app):
            return [outcomes.append]

    app.plugins.register(Plugin())

    @app.task
    def early():
        began.set()
        finish.wait(20)

    worker, thread = start_worker(app, pool="threads", concurrency=1)
    result = early.delay()
    waiting = [early.delay() for _ in range(3)]
    assert began.wait(10)
    worker.terminate()
    thread.join(10)
    assert not thread.is_alive()
    assert worker.exit_code == 1
    assert result.state == "FAILURE"
    assert "WorkerLostError" in repr(result.result)
    assert [outcome.kind for outcome in outcomes] == ["worker-lost"]
    assert [one.state for one in waiting] == ["PENDING"] * 3
    finish.set()


def test_a_step_may_ask_for_the_end_by_raising(app, heard):
    class Enough(StartStopStep):
        name = "tests.Enough"
        last = True

        def start(self, parent):
            raise WorkerShutdown(3)

    app.steps["worker"].add(Enough)
    assert app.Worker(pool="solo").start() == 3
    assert "worker_ready" not in [name for name, _ in heard]


def test_what_breaks_the_loop_still_ends_the_worker_in_order(app, start_worker, wait_until):
    began, finish = threading.Event(), threading.Event()

    @app.task(acks_late=True)
    def work():
        began.set()
        finish.wait(20)

    worker, thread = start_worker(app, pool="threads", concurrency=1)
    work.delay()
    assert began.wait(10)

    def leave():
        raise SystemExit(5)

    worker.hub.call_soon(leave)
    thread.join(10)
    assert not thread.is_alive()
    assert worker.hub.is_closed
    # The message went back
    lane = app.broker_transport.consumer_lane(app.connection_for_read())
    assert lane.depth("celery") == 1
    lane.close()
    finish.set()


# -- signals of the system ---------------------------------------------------------------------------------------------

TASKS = """
import time
from pathlib import Path
from celeriac import Celery

app = Celery("proj", broker="sqlite:///queue.db", backend="sqlite:///queue.db")

def wait(name):
    Path(name).touch()
    for _ in range(3000):
        time.sleep(0.01)

@app.task
def early():
    wait("early")

@app.task(acks_late=True)
def late():
    wait("late")

@app.task
def short(name):
    Path(name).touch()
    time.sleep(0.5)
    return "done"
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "tasks.py").write_text(TASKS)
    monkeypatch.chdir(tmp_path)
    app = Celery("proj", broker="sqlite:///queue.db", backend="sqlite:///queue.db", set_as_current=False)
    yield app
    app.close()


def worker_in(spawn, pool, *options):
    worker = spawn(
        sys.executable, "-m", "celeriac", "-A", "tasks", "worker", "-P", pool, "-c", "1", "-l", "INFO", *options
    )
    worker.wait_for_output("ready.")
    return worker


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
@pytest.mark.parametrize("pool", ["solo", "prefork", "threads"])
def test_one_signal_stops_warm(project, spawn, wait_until, tmp_path, pool, number):
    worker = worker_in(spawn, pool)
    result = project.send_task("tasks.short", ["short"])
    wait_until((tmp_path / "short").exists, message="the task has begun")
    worker.signal(number)
    assert worker.wait() == 0
    assert result.get(timeout=5) == "done"
    assert worker.session_pids() == []
    assert "Warm shutdown" in worker.output()


@pytest.mark.parametrize("signals", [[signal.SIGTERM] * 2, [signal.SIGINT] * 2, [signal.SIGQUIT]], ids=str)
@pytest.mark.parametrize("pool", ["solo", "prefork", "threads"])
def test_two_signals_or_sigquit_stop_cold_whatever_runs(project, spawn, wait_until, tmp_path, pool, signals):
    for name, state in (("early", "FAILURE"), ("late", "PENDING")):
        worker = worker_in(spawn, pool)
        result = project.send_task(f"tasks.{name}")
        wait_until((tmp_path / name).exists, message="the task has begun")
        for number in signals:
            time.sleep(0.05)  # signals that are sent at once are one
            worker.signal(number)
        assert worker.wait() == 1
        assert worker.session_pids() == []
        assert result.state == state, worker.output()
        # What was acked late is there for the next worker, what was acked early is not
        lane = project.broker_transport.consumer_lane(project.connection_for_read())
        assert "Traceback" not in worker.output()
        with project.connection_for_read() as connection:
            left = project.amqp.queues["celery"](connection.default_channel).purge()
        assert left == (0 if name == "early" else 1)
        lane.close()


def test_a_signal_is_heard_while_the_broker_is_out_of_reach(spawn, tmp_path):
    (tmp_path / "tasks.py").write_text(
        "from celeriac import Celery\n"
        "app = Celery('proj', broker='amqp://127.0.0.1:1//', broker_transport='kombu.transport.pyamqp:Transport')\n"
    )
    worker = spawn(sys.executable, "-m", "celeriac", "-A", "tasks", "worker", "-P", "prefork", "-c", "2", cwd=tmp_path)
    worker.wait_for_output("Trying again")
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0
    assert worker.session_pids() == []
    assert "Traceback" not in worker.output()


def test_a_worker_in_a_thread_leaves_the_signals_alone(app, start_worker):
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)]
    start_worker(app)
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)] == before


def test_a_worker_in_the_main_thread_gives_signals_and_wakeup_back(app):
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)]
    worker = app.Worker(pool="solo", ready_callback=lambda worker: signal.raise_signal(signal.SIGTERM))
    assert worker.start() == 0
    assert worker.stop_signal == "SIGTERM"
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)] == before
    assert signal.set_wakeup_fd(-1) == -1


# -- the banner and the log --------------------------------------------------------------------------------------------


def test_the_banner_names_what_the_worker_works_with_and_no_password():
    app = Celery("proj", broker="memory://me:secret@here", backend="redis://:secret@there/1", set_as_current=False)
    app.task(name="proj.work")(lambda: None)
    text = banner(app.Worker(pool="solo", concurrency=4, hostname="w1@host", queues="a,b"))
    assert "secret" not in text
    for part in (
        "w1@host",
        "memory://me:**@here",
        "redis://:**@there/1",
        "solo, 1 at once",
        "    a\n    b\n",
        "    proj.work\n",
    ):
        assert part in text
    assert "celery.backend_cleanup" not in text
    app.close()


def test_the_banner_names_the_embedded_file(celeriac_home):
    app = Celery("census", set_as_current=False)
    text = banner(app.Worker(pool="solo"))
    assert f"no broker is configured, so tasks wait in the file {celeriac_home / 'census.db'}" in text
    app.close()


def test_the_banner_tells_of_a_setting_that_keeps_tasks_away(app):
    app.conf.task_always_eager = True
    assert "task_always_eager is on" in banner(app.Worker(pool="solo"))
