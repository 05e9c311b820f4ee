"""``celeriac multi``: which workers the words mean, and what starts each."""

from __future__ import annotations

import json
import os
import shlex

import pytest

HOST = os.uname().nodename


@pytest.fixture
def multi(celeriac, tmp_path, monkeypatch):
    """Return ``multi(*words)``: what is printed, where all goes well."""
    monkeypatch.chdir(tmp_path)

    def call(*words):
        code, output, errors = celeriac("multi", *words)
        assert code == 0, errors
        return output.splitlines()

    return call


@pytest.fixture
def options(multi):
    """Return ``options(*words)``: the options of each node, by the name of the node."""

    def call(*words):
        [text] = multi("show", "--json", *words)
        return {node: command[command.index("--detach") + 1 :] for node, command in json.loads(text).items()}

    return call


@pytest.mark.covers("cli.multi")
@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["3"], ["celery1", "celery2", "celery3"]),
        (["2-4"], ["celery2", "celery3", "celery4"]),
        (["one", "two"], ["one", "two"]),
        (["2", "--range-prefix=w"], ["w1", "w2"]),
        (["one", "--prefix=a", "--suffix=z"], ["aonez"]),
        (["1", "2"], ["1", "2"]),
    ],
)
def test_a_number_a_range_and_names_say_which_workers(multi, words, names):
    assert multi("names", *words) == [f"{name}@{HOST}" for name in names]


@pytest.mark.covers("cli.multi")
def test_the_host_may_be_named(multi):
    assert multi("names", "a@x", "b@%h", "c", "--hostname=y") == ["a@x", f"b@{HOST}", "c@y"]
    assert multi("names", "2", "-n:2", "other@z") == [f"celery1@{HOST}", "other@z"]


@pytest.mark.covers("cli.multi")
def test_an_option_may_be_for_all_for_some_and_for_one(options):
    found = options("5", "-c", "3", "-c:2,4-5", "8", "-Q:celery1", "images", "--autoscale:3=9,1", "-E")

    assert [command[command.index("-c") + 1] for command in found.values()] == ["3", "8", "3", "8", "8"]
    assert [command[command.index("-Q") + 1] for command in found.values() if "-Q" in command] == ["images"]
    assert "--autoscale=9,1" in found[f"celery3@{HOST}"]
    assert all("-E" in command for command in found.values())


@pytest.mark.covers("cli.multi")
def test_a_flag_takes_no_word_and_an_option_takes_its_own(options):
    assert list(options("-E", "one", "-l", "INFO", "--concurrency", "4", "two")) == [f"one@{HOST}", f"two@{HOST}"]


@pytest.mark.covers("cli.multi")
def test_files_have_the_name_of_their_node(options):
    found = options("a", "b@h.example", "--pidfile=run/%n.pid", "--logfile=log/%h-%n%I.log")

    assert {"--pidfile=run/a.pid", f"--logfile=log/{HOST}-a%I.log"} <= set(found[f"a@{HOST}"])
    assert {"--pidfile=run/b.pid", "--logfile=log/h.example-b%I.log"} <= set(found["b@h.example"])


@pytest.mark.covers("cli.multi")
def test_the_command_may_be_another_and_what_follows_two_dashes_is_handed_on(multi):
    [line] = multi("show", "one", "--cmd=run me", "--executable=/python", "--", "--foo.bar=1")
    assert shlex.split(line)[:2] == ["run", "me"]
    assert line.endswith(" -- --foo.bar=1")
    [line] = multi("show", "one", "--executable=/python")
    assert line.startswith("/python -m celeriac worker --detach ")


@pytest.mark.covers("cli.multi")
def test_global_options_reach_the_workers_from_either_side(celeriac, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "proj_of_multi.py").write_text("from celeriac import Celery\napp = Celery('x', broker='memory://')\n")
    _, before, _ = celeriac("-A", "proj_of_multi", "-b", "memory://b", "multi", "show", "one")
    _, behind, _ = celeriac("multi", "show", "one", "-A", "proj_of_multi", "-b", "memory://b")

    assert " -m celeriac worker --detach " in before
    assert before.endswith(" --app proj_of_multi --broker memory://b\n")
    assert " worker --detach -A proj_of_multi -b memory://b " in behind


@pytest.mark.covers("cli.multi")
def test_get_and_expand_tell_of_the_nodes(multi):
    assert multi("get", "b", "a", "b", "--pidfile=%n", "--logfile=%n.l", "-c:b", "2") == [
        f"-c 2 -n b@{HOST} --pidfile=b --logfile=b.l"
    ]
    assert multi("expand", "/x/%n-%h-%p", "2") == [
        f"/x/celery{number}-{HOST}-celery{number}@{HOST}" for number in (1, 2)
    ]
    assert json.loads(*multi("names", "2", "--json")) == [f"celery1@{HOST}", f"celery2@{HOST}"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["strat", "1"], "multi has no command 'strat'. Did you mean 'start'"),
        (["names"], "which workers?"),
        (["names", "2", "-c:3", "1"], "-c:3 is for 3, which is none of celery1, celery2"),
        (["names", "3-1"], "'3-1' is no range"),
        (["names", "a", "a"], f"several workers would be called a@{HOST}"),
        (["stop", "1", "-SIGFOO"], "there is no signal 'SIGFOO'"),
        (["get", "x", "a"], "'x' is none of a@"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(celeriac, words, told):
    code, _, errors = celeriac("multi", *words)

    assert code == 2
    assert f"Error: {told}" in errors


@pytest.mark.covers("cli.multi")
def test_a_pid_file_of_a_process_that_is_no_worker_is_not_believed(celeriac, spawn, tmp_path):
    # Given a number that the system has given to something else since
    other = spawn("sleep", "60")
    (tmp_path / "a.pid").write_text(f"{other.pid}\n")

    # When the worker is killed
    code, output, _ = celeriac("multi", "kill", "a", f"--pidfile={tmp_path}/%n.pid")

    # Then nothing happens to that
    assert (code, output) == (0, f"> Stopping nodes...\n\t> a@{HOST}: DOWN\n")
    assert other.poll() is None


def test_its_help_is_shown_and_a_call_without_words_is_wrong(celeriac):
    code, output, _ = celeriac("multi", "--help")
    assert code == 0
    assert "stopwait NODES" in output
    assert celeriac("multi", "help")[:2] == (0, output)
    assert celeriac("multi")[:2] == (64, output)
