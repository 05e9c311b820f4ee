"""What Celery has for terminals, processes and settings, by its names."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
import time
from datetime import datetime

import pytest
from celery import maybe_patch_concurrency, platforms
from celery._state import _task_stack
from celery.app import pop_current_task, push_current_task
from celery.app.defaults import DEFAULT_TASK_LOG_FMT
from celery.app.utils import filter_hidden_settings
from celery.contrib.testing.app import TestApp
from celery.utils.annotations import annotation_is_class, annotation_issubclass, get_optional_arg
from celery.utils.collections import ConfigurationView
from celery.utils.debug import blockdetection, cry, humanbytes, sample
from celery.utils.graph import CycleError, DependencyGraph
from celery.utils.quorum_queues import detect_quorum_queues
from celery.utils.serialization import get_pickleable_etype
from celery.utils.sysinfo import df
from celery.utils.term import colored
from celery.utils.time import LocalTimezone
from kombu import Queue


def run(*lines):
    """What a program of these lines has come to."""
    command = [sys.executable, "-c", "\n".join(lines)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=20)


def test_text_has_colours_that_nest_and_can_be_left_out():
    c = colored()
    assert str(c.red("a") + c.blue("b", " c")) == "\033[1;31ma\033[0m\033[1;34mb c\033[0m"
    assert str(c.bold(c.green("x"), "y")) == "\033[1m\033[1;32mx\033[0my\033[0m"
    assert c.red("a").embed() == "\033[1;31ma"
    assert str(colored(enabled=False).red("a")) == c.red("a").no_color() == "a"
    with pytest.raises(AttributeError):
        _ = c.beige


@pytest.mark.parametrize(
    ("size", "told"), [(100, "100b"), (2048, "2KB"), (5 * 1024**2 + 7, "5.0MB"), (3.5 * 1024**3, "3.5GB")]
)
def test_sizes_are_for_people(size, told):
    assert humanbytes(size) == told


def test_threads_say_where_they_are():
    out, goes_on = io.StringIO(), threading.Event()
    thread = threading.Thread(target=goes_on.wait, args=(20,), name="waits-here")
    thread.start()
    try:
        assert "waits-here" in cry(out)
        assert "goes_on" in out.getvalue() or "wait" in out.getvalue()
    finally:
        goes_on.set()
        thread.join()


def test_a_block_that_lasts_too_long_is_told():
    with pytest.raises(RuntimeError, match=r"more than 0\.05 s"), blockdetection(0.05):
        threading.Event().wait(20)
    with blockdetection(None):
        pass
    assert list(sample([*range(100)], 5)) == [0, 20, 40, 60, 80]


def test_annotations_are_read():
    assert get_optional_arg(int | None) is int
    assert get_optional_arg(int) is None
    assert annotation_is_class(int)
    assert not annotation_is_class(list[int])
    assert annotation_issubclass(bool, int)


def test_settings_are_looked_up_in_changes_then_in_defaults():
    view = ConfigurationView({"a": 1}, [{"b": 2, "a": 9}])
    view.c = 3
    view.add_defaults({"b": 5})
    assert (view.a, view["b"], view.first("nothing", "c"), view.get("nothing", 4)) == (1, 5, 3, 4)
    assert view.changes == {"a": 1, "c": 3}
    old = ConfigurationView({"CELERY_A": 1}, keys=[lambda key: f"CELERY_{key.upper()}"])
    assert old.a == 1
    assert "a" in old
    with pytest.raises(AttributeError):
        _ = old.b
    assert filter_hidden_settings({"x": "redis://u:secret@host/0"})["x"] == "redis://u:**@host/0"


def test_a_pid_file_has_one_owner(tmp_path):
    path = tmp_path / "worker.pid"
    pidfile = platforms.Pidfile(str(path))
    with pidfile:
        assert pidfile.is_locked()
        assert pidfile.read_pid() == os.getpid()
        other = run(
            "from celery.platforms import create_pidlock, LockFailed",
            f"try: create_pidlock({str(path)!r})",
            "except LockFailed: print('taken')",
        )
        assert other.stdout == "taken\n"
    assert not path.exists()
    path.write_text("999999999\n")
    assert pidfile.remove_if_stale()


def test_a_program_goes_on_in_the_background_and_its_starter_ends(tmp_path, wait_until):
    log, pid, here = (tmp_path / name for name in ("log", "pid", "here"))

    def start(log):
        options = {"logfile": str(log), "pidfile": str(pid), "workdir": str(tmp_path), "umask": "077"}
        return run(
            "from celery.platforms import detached",
            f"with detached(**{options!r}):",
            "    print('nobody sees this')",
            "    open('here', 'w').write('done')",
        )

    started = start(log)
    assert (started.returncode, started.stdout, started.stderr) == (0, "", "")
    wait_until(lambda: here.exists() and here.read_text() and not pid.exists())
    assert log.exists()
    assert here.stat().st_mode & 0o777 == 0o600
    lost = start("/nowhere/log")
    assert lost.returncode == 1
    assert "/nowhere/log" in lost.stderr


def test_descriptors_are_closed_but_for_some():
    found = run(
        "import os",
        "from celery.platforms import close_open_fds, fd_by_path",
        "kept, closed = os.open(os.devnull, 0), os.open('/', 0)",
        "assert fd_by_path(['/']) == [closed]",
        "close_open_fds([0, 1, 2, kept])",
        "os.fstat(kept)",
        "try: os.fstat(closed)",
        "except OSError: print('closed')",
    )
    assert (found.stdout, found.stderr) == ("closed\n", "")


def test_the_stack_of_tasks_is_that_of_what_runs():
    with TestApp("proj", set_as_current=True) as app:

        @app.task(bind=True)
        def tell(self):
            return _task_stack.top is self, self.name

        assert tell.apply().get() == (True, tell.name)
        assert _task_stack.top is None
        push_current_task(tell)
        assert app.current_task is tell
        assert pop_current_task() is tell
        assert pop_current_task() is None


def test_small_things():
    assert "%(task_name)s" in DEFAULT_TASK_LOG_FMT
    assert get_pickleable_etype(ValueError) is ValueError
    assert df("/").total_blocks > 0
    now = datetime.now().replace(microsecond=0)
    assert now.replace(tzinfo=LocalTimezone()).timestamp() == now.timestamp() == time.mktime(now.timetuple())
    with pytest.raises(CycleError):
        DependencyGraph([("a", ["b"]), ("b", ["a"])]).topsort()
    with TestApp("proj") as app:
        assert detect_quorum_queues(app, "amqp") == (False, "")
        app.amqp.queues.add(Queue("q", queue_arguments={"x-queue-type": "quorum"}))
        assert detect_quorum_queues(app, "amqp") == (True, "q")
        assert detect_quorum_queues(app, "redis") == (False, "")


def test_the_pool_that_is_named_patches_what_it_needs():
    called = []
    patches = {"mine": lambda: called.append("mine"), "other": lambda: called.append("other")}
    maybe_patch_concurrency(["celery", "worker", "--pool=mine"], patches=patches)
    maybe_patch_concurrency(["celery", "worker", "-P", "mine"], patches=patches)
    maybe_patch_concurrency(["celery", "worker"], patches=patches)
    assert called == ["mine", "mine"]
    found = run(
        "from celery import maybe_patch_concurrency",
        "maybe_patch_concurrency(['-P', 'gevent'])",
        "from gevent import monkey",
        "print(monkey.is_module_patched('socket'))",
    )
    assert found.stdout == "True\n"
