"""How workers start and stop from the command line: signals, the background, users, pid files, health."""

from __future__ import annotations

import grp
import json
import os
import pwd
import signal
import socket
import sys
import time
import urllib.request
from pathlib import Path

import pytest

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")


@pytest.fixture
def worker(spawn):
    """Return ``worker(*options, ready=True, **env)``: a worker of the everyday app."""

    def start(*options, ready=True, app="everyday", **env):
        command = [sys.executable, "-m", "celeriac", "-A", app, "worker", "-c", "1", "-l", "INFO", *options]
        started = spawn(*command, cwd=Path(__file__).parent, env=env)
        if ready:
            started.wait_for_output("ready.")
        return started

    return start


@pytest.fixture
def long_task(everyday, tmp_path, wait_until):
    """Return ``long_task()``: the result of a task that has begun, and a function that lets it end."""

    def send():
        gate, begun = tmp_path / "gate", tmp_path / "begun"
        result = everyday.wait_for.delay(str(gate), str(begun))
        wait_until(begun.exists, message="the task has begun")
        return result, gate.touch

    return send


# -- soft shutdown -----------------------------------------------------------------------------------------------------


@pytest.fixture
def soft(tmp_path):
    """Return ``soft(seconds)``: for a worker of the same app that grants running tasks so many seconds."""

    def options(seconds):
        (tmp_path / "softly.py").write_text(
            f"from everyday import app\napp.conf.worker_soft_shutdown_timeout = {seconds}\n"
        )
        return {"app": "softly", "PYTHONPATH": str(tmp_path)}

    return options


@pytest.mark.covers("settings.worker_soft_shutdown_timeout")
@pytest.mark.parametrize("pool", ["solo", "prefork", "threads"])
def test_a_soft_shutdown_lets_tasks_end_that_end_in_time(worker, long_task, soft, pool):
    running = worker("-P", pool, **soft(30))
    result, let_end = long_task()
    running.signal(signal.SIGQUIT)
    running.wait_for_output("Soft shutdown" if pool != "solo" else "ready.")
    let_end()
    assert running.wait() == 0
    assert result.get(timeout=5) == "seen"
    assert "Cold shutdown" not in running.output()
    assert running.session_pids() == []


@pytest.mark.parametrize("pool", ["solo", "prefork", "threads"])
def test_a_soft_shutdown_is_a_cold_one_when_the_time_is_up(worker, long_task, soft, pool):
    running = worker("-P", pool, **soft(0.5))
    long_task()
    running.signal(signal.SIGQUIT)
    assert running.wait() == 1
    assert "Cold shutdown" in running.output()
    assert running.session_pids() == []


@pytest.mark.covers("settings.worker_enable_soft_shutdown_on_idle")
@pytest.mark.parametrize("waits", [True, False])
def test_a_soft_shutdown_of_an_idle_worker_takes_its_time_only_where_that_is_wanted(worker, soft, tmp_path, waits):
    options = soft(1.5)
    with (tmp_path / "softly.py").open("a") as file:
        file.write(f"app.conf.worker_enable_soft_shutdown_on_idle = {waits}\n")
    running = worker("-P", "prefork", **options)
    begun = time.monotonic()
    running.signal(signal.SIGQUIT)
    assert running.wait() == 0
    assert (time.monotonic() - begun >= 1.5) is waits
    assert "Cold shutdown" not in running.output()


def test_each_further_signal_stops_faster(worker, long_task, soft):
    running = worker("-P", "prefork", **soft(60))
    long_task()
    for shown in ("Warm shutdown", "Soft shutdown", "Cold shutdown"):
        running.signal(signal.SIGTERM)
        running.wait_for_output(shown)
    assert running.wait() == 1


def test_sigterm_can_be_made_to_mean_sigquit(worker, long_task):
    running = worker("-P", "prefork", REMAP_SIGTERM="SIGQUIT")
    long_task()
    running.signal(signal.SIGTERM)
    assert running.wait() == 1
    assert "Warm shutdown" not in running.output()
    assert "Cold shutdown" in running.output()


# -- other signals -----------------------------------------------------------------------------------------------------


def test_sighup_starts_the_worker_anew_and_finishes_what_runs(worker, long_task, everyday):
    running = worker("-P", "prefork")
    result, let_end = long_task()
    running.signal(signal.SIGHUP)
    running.wait_for_output("Warm shutdown")
    let_end()
    assert result.get(timeout=20) == "seen"
    # The same process, with another worker in it
    assert everyday.add.delay(1, 2).get(timeout=20) == 3
    assert running.output().count("ready.") == 2
    running.signal(signal.SIGTERM)
    assert running.wait() == 0
    assert running.session_pids() == []


def test_sigusr1_tells_what_all_threads_do_and_the_worker_goes_on(worker, everyday):
    running = worker("-P", "threads")
    running.signal(signal.SIGUSR1)
    output = running.wait_for_output("What all threads do now")
    assert "Thread MainThread" in output
    running.wait_for_output("run_once")
    assert everyday.add.delay(1, 2).get(timeout=20) == 3


def test_sigusr2_starts_a_debugger_only_where_that_is_allowed(worker, everyday):
    running = worker("-P", "threads", CELERY_RDBSIG="1", CELERY_RDB_PORT="0")
    running.signal(signal.SIGUSR2)
    output = running.wait_for_output("connect with: telnet 127.0.0.1 ")
    port = int(output.rpartition("telnet 127.0.0.1 ")[2].split()[0])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as debugger:
        talk = debugger.makefile("rw")
        talk.write("p 20 + 22\n")
        talk.flush()
        said = ""
        while "42" not in said:
            said += talk.readline()
        talk.write("c\n")
        talk.flush()
    assert everyday.add.delay(1, 2).get(timeout=20) == 3


# -- the background, pid files, users ----------------------------------------------------------------------------------


@pytest.mark.covers(
    "cli.worker.--detach", "cli.worker.--pidfile", "cli.worker.--logfile", "cli.worker.--umask", "cli.worker.--hostname"
)
def test_a_detached_worker_runs_in_the_background_until_the_process_of_its_pid_file_is_told_to_stop(
    worker, everyday, tmp_path, wait_until
):
    # Given a worker that was started in the background
    files = ("--pidfile", str(tmp_path / "%n.pid"), "-f", str(tmp_path / "%n.log"), "--umask", "077")
    started = worker("--detach", "-n", "back@here", "-P", "prefork", *files, ready=False)
    assert started.wait() == 0
    pid = int((tmp_path / "back.pid").read_text())
    try:
        # Then it runs tasks, has no terminal, and has made its files as its umask says
        assert everyday.add.delay(20, 22).get(timeout=20) == 42
        assert os.getsid(pid) == pid
        assert os.readlink(f"/proc/{pid}/fd/0") == "/dev/null"
        assert (tmp_path / "back.log").stat().st_mode & 0o777 == 0o600
        assert "ready." in (tmp_path / "back.log").read_text()

        # And a second one with the same pid file does not start
        second = worker("--pidfile", str(tmp_path / "back.pid"), ready=False)
        assert second.wait() == 1
        assert f"belongs to process {pid}, which runs" in second.output()
    finally:
        os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not (tmp_path / "back.pid").exists(), 20, "the pid file is gone")
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), 20, "the worker is gone")


def test_what_goes_wrong_at_the_start_of_a_detached_worker_is_told_in_the_terminal(worker, tmp_path):
    failed = worker("--detach", "-P", "sollo", "--pidfile", str(tmp_path / "w.pid"), ready=False)
    assert failed.wait() == 1
    assert "Did you mean 'solo'" in failed.output()
    assert not (tmp_path / "w.pid").exists()


@AS_ROOT
@pytest.mark.covers("cli.worker.--gid")
def test_a_worker_and_its_children_run_as_the_group_that_it_is_told(worker, everyday):
    running = worker("--gid", "nogroup", "-P", "prefork")
    pid, _ = everyday.where.delay().get(timeout=20)
    for process in (pid, running.pid):
        ids = dict(line.split(":", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())
        assert ids["Gid"].split() == [str(grp.getgrnam("nogroup").gr_gid)] * 4
        assert "0" not in ids["Groups"].split()


@AS_ROOT
@pytest.mark.covers("cli.worker.--uid")
def test_a_worker_runs_as_the_user_that_it_is_told_and_learns_so_from_no_warning(worker, tmp_path):
    # Given a place where that user may write, and a worker that needs nothing more of a Python that only root may read
    for path in (tmp_path, *tmp_path.parents[:3]):
        path.chmod(0o755)
    tmp_path.chmod(0o777)
    (tmp_path / "as_nobody.py").write_text(
        "import os, pwd, sys\n"
        "from celeriac import Celery\n"
        "from celeriac.bootsteps import Step\n"
        "app = Celery('as_nobody', broker='memory://', backend='disabled')\n"
        "import celeriac.worker.boot, celeriac.worker.banner, celeriac.app.amqp\n"
        "class Tell(Step):\n"
        "    def __init__(self, parent, **options):\n"
        "        print('users', os.getresuid(), 'groups', os.getgroups(), flush=True)\n"
        "        raise SystemExit(0)\n"
        "app.steps['worker'].add(Tell)\n"
        "app.Worker  # loads what a worker needs\n"
        "app.plugins.driver('pool', 'solo'), app.plugins.driver('broker', 'memory')\n"
    )
    nobody = pwd.getpwnam("nobody").pw_uid
    running = worker(
        "--uid", "nobody", "-P", "solo", app="as_nobody", ready=False, PYTHONPATH=str(tmp_path), C_FORCE_ROOT=""
    )
    assert running.wait() == 0
    output = running.output()
    assert f"users ({nobody}, {nobody}, {nobody})" in output
    assert "runs as root" not in output


@AS_ROOT
@pytest.mark.parametrize(
    ("accepted", "forced", "exitcode", "said"),
    [
        ("pickle", "", 1, "this worker would run as root and accept pickled messages"),
        ("application/x-python-serialize", "", 1, "this worker would run as root and accept pickled messages"),
        ("pickle", "1", 0, None),
        ("json", "", 0, "This worker runs as root, and so do all tasks"),
        ("json", "1", 0, None),
    ],
)
def test_root_runs_what_is_pickled_only_where_it_is_told_to(worker, tmp_path, accepted, forced, exitcode, said):
    # Given a program that accepts this, and whose worker ends as soon as it is made
    (tmp_path / "of_root.py").write_text(
        "from celeriac import Celery\n"
        "from celeriac.bootsteps import Step\n"
        f"app = Celery('of_root', broker='memory://', backend='disabled', accept_content=['json', {accepted!r}])\n"
        "class Tell(Step):\n"
        "    def __init__(self, parent, **options):\n"
        "        print('it would run', flush=True)\n"
        "        raise SystemExit(0)\n"
        "app.steps['worker'].add(Tell)\n"
    )
    # When root starts it
    running = worker("-P", "solo", app="of_root", ready=False, PYTHONPATH=str(tmp_path), C_FORCE_ROOT=forced)
    # Then it runs, or says why it does not
    assert running.wait() == exitcode, running.output()
    output = running.output()
    assert ("it would run" in output) == (exitcode == 0)
    assert ("as root" in output) == (said is not None)
    assert said is None or said in output


def test_a_umask_that_is_none_is_refused(worker):
    refused = worker("--umask", "999", ready=False)
    assert refused.wait() == 2
    assert "must be an octal number from 0 to 777" in refused.output()


@pytest.mark.covers("cli.worker.--executable")
def test_a_worker_can_be_run_by_another_python(worker, tmp_path):
    # An interpreter of another name, which says so
    python = tmp_path / "other-python"
    python.write_text(f'#!/bin/sh\necho "the other python"\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    refused = worker("--executable", str(tmp_path / "nowhere"), ready=False)
    assert refused.wait() == 2
    assert "nowhere cannot be run: No such file" in refused.output()


# -- health ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_a_worker_serves_its_health_and_its_children_do_not(worker, pool):
    running = worker("-P", pool, "--health", "127.0.0.1:0")
    url = running.output().partition("Health checks at ")[2].split()[0]
    with urllib.request.urlopen(f"{url}/status", timeout=10) as answer:
        status = json.load(answer)
    assert status["pid"] == running.pid
    assert status["ready"] is True
    children = [pid for pid in running.session_pids() if pid != running.pid]
    port = int(url.rpartition(":")[2])
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    # A child that lives on for a moment does not keep the port
    deadline = time.monotonic() + 10
    while True:
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if listener.connect_ex(("127.0.0.1", port)) != 0:
                break
        assert time.monotonic() < deadline, f"somebody still answers; children were {children}"
