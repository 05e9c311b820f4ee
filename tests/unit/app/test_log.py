"""The setup of logging: who writes what where, in which form, and who may say otherwise."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
import time

import pytest

from celeriac import signals
from celeriac.app.log import JsonFormatter, Logging, TaskFilter, TaskFormatter
from celeriac.app.log_formats import ColorFormatter
from celeriac.app.loggers import get_logger, get_task_logger, level_of
from celeriac.exceptions import ImproperlyConfigured

pytestmark = pytest.mark.covers("app.base.Celery.log")


@pytest.fixture(autouse=True)
def nobody_has_set_it_up(monkeypatch):
    monkeypatch.setattr(Logging, "already_setup", False)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "log"


@pytest.fixture
def task(app):
    """A task that writes to the log of tasks and to that of somebody."""

    @app.task(name="t.speaks", shared=False)
    def speaks():
        get_task_logger("t").warning("of the task")
        logging.getLogger("somebody").warning("of somebody")

    return speaks


# -- levels and names --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("given", "level"), [(None, 30), (10, 10), ("15", 15), ("info", 20), ("ERROR", 40)])
def test_a_level_is_a_name_or_a_number(given, level):
    assert level_of(given) == level


def test_a_level_that_is_none_is_an_error():
    with pytest.raises(ImproperlyConfigured, match="there are DEBUG"):
        level_of("loud")


def test_loggers_of_tasks_belong_to_that_of_tasks_and_others_to_celeriac():
    assert get_task_logger("of.tasks").parent is logging.getLogger("celeriac.task")
    assert get_logger("of.others").parent is logging.getLogger("celeriac")
    logging.getLogger("own")
    assert get_task_logger("own.child").parent is logging.getLogger("own")
    assert get_logger("celeriac").parent is logging.root
    with pytest.raises(ValueError, match=r"call get_task_logger\(__name__\)"):
        get_task_logger("celeriac.task")


def test_users_find_loggers_and_ids_where_celery_has_them():
    from celeriac.utils import gen_unique_id, uuid
    from celeriac.utils.log import get_logger as found
    from celeriac.utils.log import get_task_logger as found_of_tasks

    assert (found, found_of_tasks) == (get_logger, get_task_logger)
    assert len(gen_unique_id()) == len(uuid()) == 36


# -- lines -------------------------------------------------------------------------------------------------------------


def test_setting_up_the_log_twice_writes_each_line_once(app, path):
    for _ in range(2):
        app.log.setup(logging.INFO, str(path))
    logging.getLogger("celeriac.task").info("of a task")
    logging.getLogger("somebody").info("of somebody")
    logging.getLogger("somebody").debug("too quiet")
    text = path.read_text()
    assert text.count("of a task") == 1
    assert "???[???]: of a task" in text
    assert text.count("of somebody") == 1
    assert "too quiet" not in text
    assert Logging.already_setup


@pytest.mark.covers(
    "settings.worker_log_format",
    "settings.worker_log_datefmt",
    "settings.worker_task_log_format",
    "settings.worker_task_log_datefmt",
)
def test_formats_are_those_of_the_settings_and_every_record_of_a_task_knows_it(app, task, path):
    app.conf.update(
        worker_log_format="%(asctime)s|%(task_id)s|%(message)s",
        worker_log_datefmt="plain",
        worker_task_log_format="%(asctime)s|%(task_name)s[%(task_id)s]|%(message)s",
        worker_task_log_datefmt="task",
    )
    app.log.setup("INFO", str(path))
    task.apply(task_id="id")
    lines = path.read_text().splitlines()
    assert "task|t.speaks[id]|of the task" in lines
    assert "plain|id|of somebody" in lines


def test_what_a_sender_chose_begins_no_line_and_tells_a_terminal_nothing(app, task, path):
    # Given a task whose id is to look like a line of the log, and words of users that have control characters as well
    hostile = "id\n[2026-11-26 06:00:00,000: INFO/MainProcess] all is well\x1b[2J"
    app.log.setup("INFO", str(path), redirect_stdouts=True)
    task.apply(task_id=hostile)
    logging.getLogger("celeriac.worker").info("Task %s[%s] received", "t", hostile)
    logging.getLogger("celeriac.worker").info("Of ours:\n%s", "a table")
    logging.getLogger("somebody").info("of users:\n\x1b[1m%s", "bold")
    print("printed \x1b[1mbold")

    # Then it begins none; what is ours to say, or a user's, stays
    text = path.read_text()
    assert r"Task t[id\n[2026-11-26 06:00:00,000: INFO/MainProcess] all is well\x1b[2J] received" in text
    assert "\n[2026-11-26 06:00:00,000: INFO/MainProcess] all is well" not in text
    assert r"t.speaks[id\n[2026-11-26 06:00:00,000: INFO/MainProcess] all is well\x1b[2J]: of the task" in text
    assert "\x1b[2J" not in text
    assert "Of ours:\na table" in text
    assert "of users:\n\x1b[1mbold" in text
    assert "printed \x1b[1mbold" in text


def test_a_handler_of_the_users_own_may_know_the_task_too(task):
    seen = []

    class Own(logging.Handler):
        def emit(self, record):
            seen.append((record.task_id, record.task_name, TaskFormatter("%(task_name)s").format(record)))

    handler = Own()
    handler.addFilter(TaskFilter())
    logging.getLogger("somebody").addHandler(handler)
    task.apply(task_id="id")
    logging.getLogger("somebody").removeHandler(handler)
    assert seen == [("id", "t.speaks", "t.speaks")]


def test_a_record_that_has_a_task_id_of_its_own_keeps_it(app, path):
    @app.task(shared=False)
    def t():
        logging.getLogger("somebody").warning("x", extra={"task_id": "mine"})

    app.conf.worker_log_format = "%(task_id)s"
    app.log.setup("INFO", str(path))
    t.apply(task_id="id")
    assert path.read_text().splitlines()[0] == "mine"


def test_json_is_an_object_per_line_with_the_task_the_error_and_what_is_extra(app, task, path):
    app.conf.worker_log_format = "json"
    app.log.setup("INFO", str(path))
    before = time.time()
    task.apply(task_id="id")
    try:
        raise LookupError("broken\nin two")
    except LookupError:
        logging.getLogger("somebody").exception("an %s", "error", extra={"order": 7, "thing": object})
    of_task, of_somebody, error = [json.loads(line) for line in path.read_text().splitlines()]
    assert (of_task["message"], of_task["task_id"], of_task["task_name"]) == ("of the task", "id", "t.speaks")
    assert (of_task["level"], of_task["logger"], of_task["process"]) == ("WARNING", "t", os.getpid())
    assert of_somebody["task_id"] == "id"
    assert (error["message"], error["order"]) == ("an error", 7)
    assert "LookupError: broken" in error["exception"]
    assert "task_id" not in error
    assert abs(time.mktime(time.strptime(error["timestamp"][:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone - before) < 60


def test_a_file_that_was_moved_away_is_opened_again(app, path):
    app.log.setup("INFO", str(path))
    logging.getLogger("somebody").warning("first")
    path.rename(path.with_suffix(".1"))
    logging.getLogger("somebody").warning("second")
    assert "second" in path.read_text()
    assert "second" not in path.with_suffix(".1").read_text()


def test_the_name_of_the_file_may_name_the_node(app, tmp_path):
    app.log.setup("INFO", f"{tmp_path}/%n-%h-%d%I.log", hostname="w1@host.example.org")
    logging.getLogger("somebody").warning("x")
    assert (tmp_path / "w1-host.example.org-example.org.log").read_text()


# -- colours -----------------------------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    """Says that it is a terminal."""

    def isatty(self):
        return True


@pytest.mark.covers("settings.worker_log_color")
@pytest.mark.parametrize(
    ("setting", "terminal", "no_color", "coloured"),
    [
        (None, True, "", True),
        (None, True, "1", False),
        (None, False, "", False),
        (True, False, "", True),
        (True, False, "1", True),
        (False, True, "", False),
    ],
)
def test_lines_are_coloured_on_a_terminal_or_where_that_was_asked(
    app, monkeypatch, setting, terminal, no_color, coloured
):
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setattr(sys, "stderr", stream := Terminal() if terminal else io.StringIO())
    app.conf.worker_log_color = setting
    app.log.setup("INFO")
    logging.getLogger("somebody").error("red")
    assert ("\x1b[31m" in stream.getvalue()) is coloured


def test_nothing_is_coloured_in_a_file(app, path):
    assert not app.log.supports_color(True, str(path))


def test_a_level_without_a_colour_has_none():
    record = logging.makeLogRecord({"levelno": logging.INFO, "msg": "x"})
    assert ColorFormatter("%(message)s").format(record) == "x"
    assert "\x1b" not in JsonFormatter().format(record)


# -- who else sets it up -----------------------------------------------------------------------------------------------


@pytest.mark.covers("settings.worker_hijack_root_logger")
def test_a_root_logger_that_is_not_to_be_hijacked_keeps_its_handlers(app):
    app.conf.worker_hijack_root_logger = False
    root = logging.getLogger()
    before = list(root.handlers)
    app.log.setup(logging.INFO)
    assert root.handlers == before
    assert logging.getLogger("celeriac").level == logging.INFO


def test_a_root_logger_that_is_hijacked_has_our_handler_only(app, path):
    other = logging.NullHandler()
    logging.getLogger().addHandler(other)
    app.log.setup(logging.INFO, str(path))
    assert [type(handler).__name__ for handler in logging.getLogger().handlers] == ["LogFile"]


@pytest.fixture
def heard():
    """What the signals have said."""

    heard = []
    names = ("after_setup_logger", "after_setup_task_logger")

    def receiver(name):
        def receive(signal, sender, **arguments):
            heard.append((name, sender, arguments))

        return receive

    receivers = {name: receiver(name) for name in names}
    for name, each in receivers.items():
        getattr(signals, name).connect(each)
    yield heard
    for name, each in receivers.items():
        getattr(signals, name).disconnect(each)


@pytest.mark.covers("signals.after_setup_logger", "signals.after_setup_task_logger")
def test_who_wants_to_add_to_the_setup_is_told_of_it(app, heard, path):
    app.log.setup("INFO", str(path))
    common = {"loglevel": 20, "logfile": str(path), "colorize": False}
    assert heard == [
        (
            "after_setup_logger",
            None,
            {"logger": logging.getLogger(), "format": app.conf.worker_log_format, **common},
        ),
        (
            "after_setup_task_logger",
            None,
            {"logger": logging.getLogger("celeriac.task"), "format": app.conf.worker_task_log_format, **common},
        ),
    ]


@pytest.mark.covers("signals.setup_logging")
def test_whoever_receives_setup_logging_sets_up_the_log_and_nothing_is_redirected(app, heard):
    told = []

    def mine(loglevel, logfile, format, colorize, **_):
        told.append((loglevel, logfile, format, colorize))

    signals.setup_logging.connect(mine)
    before, stdout = list(logging.getLogger().handlers), sys.stdout
    try:
        assert app.log.setup(logging.INFO, redirect_stdouts=True)
    finally:
        signals.setup_logging.disconnect(mine)
    assert told == [(logging.INFO, None, app.conf.worker_log_format, False)]
    assert logging.getLogger().handlers == before
    assert sys.stdout is stdout
    assert heard == []


# -- stdout and stderr -------------------------------------------------------------------------------------------------


def test_what_is_printed_is_logged_line_by_line(app, path):
    app.log.setup("INFO", str(path), redirect_stdouts=True, redirect_level="ERROR")
    print("to", "stdout")
    print("to stderr", file=sys.stderr)
    print("two\nlines")
    print()
    print("an end that ", end="")
    print("comes later")
    print("never ends", end="")
    sys.stdout.flush()
    lines = [line.partition("] ")[2] for line in path.read_text().splitlines()]
    assert lines == ["to stdout", "to stderr", "two", "lines", "an end that comes later", "never ends"]
    assert "ERROR" in path.read_text()


def test_what_is_printed_is_not_written_twice_and_setting_up_again_makes_no_circle(app, monkeypatch):
    monkeypatch.setattr(sys, "stderr", stream := io.StringIO())
    for _ in range(2):
        app.log.setup("INFO", redirect_stdouts=True)
    print("once")
    assert stream.getvalue().count("once") == 1


def test_a_handler_that_fails_says_so_to_the_stream_itself(app, monkeypatch):
    monkeypatch.setattr(sys, "stderr", stream := io.StringIO())
    app.log.setup("INFO", redirect_stdouts=True)

    class Broken(logging.Handler):
        def emit(self, record):
            try:
                raise OSError("disk is full")
            except OSError:
                self.handleError(record)

    logging.getLogger().addHandler(Broken())
    print("something")
    assert "disk is full" in stream.getvalue()


def test_a_redirected_stream_is_a_stream_in_all_that_programs_ask_of_one(app, capfd):
    original = sys.stdout
    proxy = app.log.redirect_stdouts_to_logger(logging.getLogger("mine"))
    assert sys.stdout is proxy
    assert not proxy.isatty()
    assert proxy.writable()
    assert proxy.encoding == original.encoding
    assert proxy.fileno() == original.fileno()
    proxy.writelines(["a\n", "b\n"])
    proxy.close()
    assert proxy.closed is False


def test_only_one_of_the_streams_may_be_redirected(app):
    stdout = sys.stdout
    app.log.redirect_stdouts_to_logger(logging.getLogger("mine"), "INFO", stdout=False)
    assert sys.stdout is stdout
    assert sys.stderr.loglevel == logging.INFO


def test_the_default_logger_is_celeriacs(app):
    assert app.log.get_default_logger().name == "celeriac"
    assert app.log.get_default_logger("other").name == "other"
