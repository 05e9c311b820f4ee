"""Each option of a task, by what it does to a message, a run or a result."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from celeriac import chain
from celeriac.app.context import Context
from celeriac.app.definition import EXTRA_OPTIONS
from celeriac.app.task import Task
from celeriac.app.task_options import TaskOptions
from celeriac.contracts.outcome import OutcomeKind
from celeriac.exceptions import NotRegistered
from celeriac.worker.settlement import Verdict, verdict

# -- what goes with each message ---------------------------------------------------------------------------------------


@pytest.fixture
def sent(app, record):
    return record(app)


@pytest.mark.covers(
    "app.task.Task.priority",
    "app.task.Task.expires",
    "app.task.Task.time_limit",
    "app.task.Task.soft_time_limit",
    "app.task.Task.ignore_result",
    "app.task.Task.name",
)
def test_options_of_the_task_are_those_of_its_messages_unless_the_call_has_its_own(app, sent):
    @app.task(
        name="job",
        queue="slow",
        priority=3,
        expires=60,
        time_limit=9,
        soft_time_limit=8,
        ignore_result=True,
        shared=False,
    )
    def job():
        pass

    assert job.name == "job"
    job.delay()
    job.apply_async(queue="fast", priority=7, expires=3600, time_limit=5, soft_time_limit=4, ignore_result=False)
    own, called = sent
    assert (own.routing_key, own.properties["priority"], own.headers["timelimit"]) == ("slow", 3, [9, 8])
    assert (called.routing_key, called.properties["priority"], called.headers["timelimit"]) == ("fast", 7, [5, 4])
    assert [message.headers["ignore_result"] for message in sent] == [True, False]
    for message, seconds in ((own, 60), (called, 3600)):
        left = datetime.fromisoformat(message.headers["expires"]) - datetime.now(UTC)
        assert 0 < seconds - left.total_seconds() < 30


@pytest.mark.covers("app.task.Task.serializer")
def test_the_serializer_and_the_compression_are_those_of_the_task(make_app, record):
    from celeriac.contracts.serializer import Serializer

    class Shouting(Serializer):
        content_type = "application/x-shouting"
        content_encoding = "utf-8"

        def dumps(self, value):
            return repr(value).upper().encode()

        def loads(self, data):
            return data

    app = make_app()
    app.plugins.register_driver("serializer", "shouting", Shouting)
    sent = record(app)

    @app.task(serializer="shouting", compression="zlib")
    def job(word):
        pass

    job.delay("a")
    job.apply_async(("a",), serializer="json")
    assert [message.content_type for message in sent] == ["application/x-shouting", "application/json"]
    assert {message.headers["compression"] for message in sent} == {"application/x-gzip"}


@pytest.mark.covers("app.task.Task.shadow_name")
def test_a_task_may_be_shown_by_another_name(app, sent):
    class Shown(Task):
        abstract = True

        def shadow_name(self, args, kwargs, options):
            return f"{self.name}-{args[0]}"

    @app.task(base=Shown, name="job")
    def job(x):
        pass

    job.delay(1)
    job.apply_async((1,), shadow="other")
    assert [message.headers["shadow"] for message in sent] == ["job-1", "other"]


@pytest.mark.covers("app.task.Task.typing")
def test_without_typing_arguments_are_not_checked(app, sent):
    @app.task(typing=False)
    def loose(x):
        pass

    @app.task
    def strict(x):
        pass

    loose.delay(1, 2, 3)
    with pytest.raises(TypeError, match="too many positional arguments"):
        strict.delay(1, 2, 3)
    assert len(sent) == 1


# -- calling -----------------------------------------------------------------------------------------------------------


@pytest.mark.covers(
    "app.task.Task.delay", "app.task.Task.apply_async", "app.task.Task.AsyncResult", "app.task.Task.run"
)
def test_a_call_is_run_by_a_worker_and_found_by_its_id(app, start_worker):
    @app.task
    def add(x, y=0):
        return x + y

    start_worker(app)
    assert add.delay(1, y=2).get(timeout=10) == add.run(1, y=2) == add(1, y=2) == 3
    assert add.apply_async((1,), {"y": 4}, task_id="known").id == "known"
    assert add.AsyncResult("known").get(timeout=10) == 5
    assert add.AsyncResult("known").task_name == add.name


@pytest.mark.covers("app.task.Task.apply")
def test_apply_runs_here_with_the_options_of_a_call(app, sent):
    @app.task(bind=True)
    def job(self):
        request = self.request
        return request.id, request.retries, request.headers, request.logfile, request.loglevel, request.is_eager

    result = job.apply(task_id="i", retries=2, headers={"a": 1}, logfile="f", loglevel=10)
    assert result.get() == ("i", 2, {"a": 1}, "f", 10, True)
    assert job.apply(retries=None).get()[1] == 0
    assert sent == []


@pytest.mark.covers(
    "app.task.Task.s",
    "app.task.Task.si",
    "app.task.Task.signature",
    "app.task.Task.subtask",
    "app.task.Task.map",
    "app.task.Task.starmap",
    "app.task.Task.chunks",
)
def test_a_task_makes_signatures_of_itself(app, start_worker):
    @app.task
    def add(x, y=0):
        return x + y

    start_worker(app)
    assert add.s(1).delay(2).get(timeout=10) == 3
    assert (add.si(1, 2).immutable, add.subtask((1,), countdown=3).options) == (True, {"countdown": 3})
    assert chain(add.s(1, 2), add.si(5)).delay().get(timeout=10) == 5
    assert add.signature((1,), {"y": 7}).delay().get(timeout=10) == 8
    assert add.map([1, 2]).delay().get(timeout=10) == [1, 2]
    assert add.starmap([(1, 2), (3, 4)]).delay().get(timeout=10) == [3, 7]
    assert [part.get(timeout=10) for part in add.chunks([(1, 2), (3, 4), (5, 6)], 2).group().delay()] == [[3, 7], [11]]


# -- a run -------------------------------------------------------------------------------------------------------------


@pytest.mark.covers("app.task.Task.before_start")
def test_a_handler_before_the_start_may_keep_the_task_from_running(app, start_worker):
    ran = []

    class Guarded(Task):
        abstract = True

        def before_start(self, task_id, args, kwargs):
            if args[0] < 0:
                raise ValueError(f"{task_id} must not be negative")

    @app.task(base=Guarded)
    def job(x):
        ran.append(x)
        return x

    start_worker(app)
    bad = job.delay(-1)
    assert job.delay(1).get(timeout=10) == 1
    assert str(bad.get(timeout=10, propagate=False)) == f"{bad.id} must not be negative"
    assert ran == [1]


@pytest.mark.covers("app.task.Task.retry", "app.task.Task.max_retries", "app.task.Task.default_retry_delay")
def test_a_task_tries_again_after_its_delay_as_often_as_it_may(app, start_worker, record):
    sent = record(app)

    @app.task(bind=True, max_retries=2, default_retry_delay=0.01)
    def job(self):
        raise self.retry(exc=LookupError(self.request.retries))

    start_worker(app)
    with pytest.raises(LookupError) as caught:
        job.delay().get(timeout=10)
    assert caught.value.args == (2,)
    assert [message.headers["retries"] for message in sent] == [0, 1, 2]


@pytest.mark.covers("app.task.Task.replace", "app.task.Task.on_replace", "app.task.Task.add_to_chord")
def test_a_task_puts_another_in_its_place_in_its_own_way(app, start_worker):
    replaced = []

    class Noting(Task):
        abstract = True

        def on_replace(self, sig):
            replaced.append(sig.task)
            return super().on_replace(sig)

    @app.task(name="add")
    def add(x, y):
        return x + y

    @app.task(base=Noting, bind=True)
    def job(self, x):
        raise self.replace(add.s(x, 10))

    @app.task(bind=True)
    def more(self, x):
        return self.add_to_chord(add.s(x, x))

    start_worker(app)
    assert job.delay(1).get(timeout=10) == 11
    assert replaced == ["add"]
    outside = more.delay(1).get(timeout=10, propagate=False)
    assert isinstance(outside, ValueError)


@pytest.mark.covers("app.task.Task.update_state")
def test_a_task_tells_how_far_it_is(app, start_worker):
    @app.task(bind=True)
    def job(self):
        self.update_state(state="PROGRESS", meta={"done": 3})
        there = app.AsyncResult(self.request.id)
        return there.state, there.info

    start_worker(app)
    assert job.delay().get(timeout=10) == ["PROGRESS", {"done": 3}]


@pytest.mark.covers("app.task.Task.track_started")
def test_that_a_task_has_started_is_stored_where_it_is_to_be(app, start_worker):
    @app.task(bind=True, track_started=True)
    def tracked(self):
        return app.AsyncResult(self.request.id).state

    @app.task(bind=True)
    def untracked(self):
        return app.AsyncResult(self.request.id).state

    start_worker(app)
    assert [task.delay().get(timeout=10) for task in (tracked, untracked)] == ["STARTED", "PENDING"]


@pytest.mark.covers("app.task.Task.resultrepr_maxsize")
def test_the_log_shows_as_much_of_a_result_as_the_task_says(app, start_worker, caplog, wait_until):
    @app.task(name="long", resultrepr_maxsize=20)
    def long():
        return "x" * 500

    @app.task(name="short")
    def short():
        return "y" * 500

    caplog.set_level("INFO", logger="celeriac.worker.outcome")
    start_worker(app)
    long.delay().get(timeout=10)
    short.delay().get(timeout=10)

    def told():
        return {record.args[0]: record.args[3] for record in caplog.records if "succeeded" in record.msg}

    wait_until(lambda: len(told()) == 2, timeout=10, message="both are told of")
    assert (len(told()["long"]), len(told()["short"])) == (20, 502)


@pytest.mark.covers("app.task.Task.ignore_result", "app.task.Task.store_errors_even_if_ignored")
def test_what_is_stored_of_a_task_whose_results_are_ignored(app, start_worker):
    def run(x):
        return 1 / x

    ignoring = app.task(name="ignoring", ignore_result=True)(run)
    errors = app.task(name="errors", ignore_result=True, store_errors_even_if_ignored=True)(run)
    start_worker(app)
    ids = [task.apply_async((x,), task_id=f"{task.name}-{x}").id for task in (ignoring, errors) for x in (0, 1)]
    kept = ignoring.apply_async((1,), ignore_result=False)
    assert kept.get(timeout=10) == 1
    assert [app.AsyncResult(task_id).state for task_id in ids] == ["PENDING", "PENDING", "FAILURE", "PENDING"]


# -- the message afterwards --------------------------------------------------------------------------------------------

FAILURE, LIMIT, LOST = OutcomeKind.FAILURE, OutcomeKind.HARD_TIME_LIMIT, OutcomeKind.WORKER_LOST
ACK, REJECT, REDELIVER = Verdict.ACK, Verdict.REJECT, Verdict.REDELIVER


@pytest.mark.covers(
    "app.task.Task.acks_late",
    "app.task.Task.acks_on_failure",
    "app.task.Task.acks_on_timeout",
    "app.task.Task.acks_on_failure_or_timeout",
    "app.task.Task.reject_on_worker_lost",
)
@pytest.mark.parametrize(
    ("options", "kind", "expected"),
    [
        ({}, FAILURE, ACK),
        ({"acks_on_failure_or_timeout": False}, FAILURE, REJECT),
        ({"acks_on_failure_or_timeout": False}, LIMIT, REJECT),
        ({"acks_on_failure_or_timeout": False, "acks_on_failure": True}, FAILURE, ACK),
        ({"acks_on_failure_or_timeout": False, "acks_on_timeout": True}, LIMIT, ACK),
        ({"acks_on_failure": False}, FAILURE, REJECT),
        ({"acks_on_failure": False}, LIMIT, ACK),
        ({"acks_on_timeout": False}, LIMIT, REJECT),
        ({"acks_on_timeout": False}, FAILURE, ACK),
        ({}, LOST, ACK),
        ({"reject_on_worker_lost": True}, LOST, REDELIVER),
        ({"acks_on_failure": False}, OutcomeKind.SUCCESS, ACK),
    ],
)
def test_what_becomes_of_a_message_that_is_acked_late(app, options, kind, expected):
    task = app.task(acks_late=True, **options)(lambda: None)
    app.finalize()
    assert verdict(kind, task, early=not task.acks_late, requeue=False) is expected
    task.acks_late = False
    assert verdict(kind, task, early=not task.acks_late, requeue=False) is ACK


@pytest.mark.covers(
    "settings.task_acks_late",
    "settings.task_acks_on_failure",
    "settings.task_acks_on_timeout",
    "settings.task_acks_on_failure_or_timeout",
    "settings.task_reject_on_worker_lost",
    "settings.task_store_errors_even_if_ignored",
    "settings.task_track_started",
)
@pytest.mark.parametrize(
    ("setting", "attribute", "value"),
    [
        ("task_acks_late", "acks_late", True),
        ("task_acks_on_failure", "acks_on_failure", False),
        ("task_acks_on_timeout", "acks_on_timeout", False),
        ("task_acks_on_failure_or_timeout", "acks_on_failure_or_timeout", False),
        ("task_reject_on_worker_lost", "reject_on_worker_lost", True),
        ("task_store_errors_even_if_ignored", "store_errors_even_if_ignored", True),
        ("task_track_started", "track_started", True),
        ("task_default_rate_limit", "rate_limit", "9/m"),
        ("task_retry_on_worker_lost", "retry_on_worker_lost", True),
    ],
)
def test_what_a_task_does_not_say_is_what_its_setting_says(make_app, setting, attribute, value):
    app = make_app(**{setting: value})
    opposite = "1/s" if isinstance(value, str) else not value
    silent = app.task(name="silent")(lambda: None)
    own = app.task(name="own", **{attribute: opposite})(lambda: None)
    app.finalize()
    assert (getattr(silent, attribute), getattr(own, attribute)) == (value, opposite)


@pytest.mark.covers("settings.task_compression", "settings.task_serializer")
def test_messages_are_written_as_the_settings_say_unless_the_task_says_otherwise(make_app, record):
    app = make_app(task_compression="bzip2", task_serializer="json")
    sent = record(app)
    silent = app.task(name="silent")(lambda: None)
    own = app.task(name="own", compression="zlib")(lambda: None)
    silent.delay()
    own.delay()
    assert [message.headers["compression"] for message in sent] == ["application/x-bz2", "application/x-gzip"]
    assert {message.content_type for message in sent} == {"application/json"}


# -- classes -----------------------------------------------------------------------------------------------------------


@pytest.mark.covers("app.task.Task.abstract")
def test_a_base_is_no_task_of_its_own(app):
    class Base(Task):
        abstract = True

    @app.task(base=Base, name="job")
    def job():
        pass

    app.finalize()
    assert (job.abstract, Base.abstract, Base.name) == (False, True, None)
    with pytest.raises(NotRegistered):
        app.tasks["Base"]


def test_the_reference_of_tasks_has_every_option_handler_and_field(pytestconfig):
    text = (pytestconfig.rootpath / "docs" / "reference" / "tasks.md").read_text()
    known = {name for name in vars(TaskOptions) if not name.startswith("_")} | EXTRA_OPTIONS
    fields = {name for name in vars(Context) if not name.startswith("_")} - set(dir(dict)) - {"as_execution_options"}
    handlers = {"before_start", "on_success", "on_retry", "on_failure", "after_return"}
    inner = {"abstract", "type", "autoregister", "from_config", "app", "bind", "on_bound", "annotate", "add_around"}
    inner |= {"exec_options", "start_strategy", "OperationalError", "MaxRetriesExceededError", "max_retries"}
    inner |= {"filter", "accept_magic_kwargs", "taskset", "priority"}
    missing = {name for name in known | fields | handlers if not re.search(rf"`[^`]*\b{name}\b[^`]*`", text)} - inner
    assert missing == set()
