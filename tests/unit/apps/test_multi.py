"""``celeriac.apps.multi``: what `multi` is made of, for programs that were written for Celery."""

from __future__ import annotations

import io
import os
import sys

import click
import pytest

from celeriac.apps.multi import Cluster, MultiParser, MultiTool, NamespacedOptionParser, Node

HOST = os.uname().nodename


def parsed(*words, **options):
    found = NamespacedOptionParser(words, **options)
    found.parse()
    return found


@pytest.mark.covers("cli.multi")
def test_a_node_has_a_command_line_of_its_options_and_files():
    options = {"-A": "proj", "-c": 3, "-E": None, "--pidfile": "/run/%n.pid", "--logfile": "/log/%h-%n%I.log"}

    node = Node("one@x.org", options=options, extra_args="-l INFO", append="-- --a=b")

    assert (node.pidfile, node.logfile, node.executable) == ("/run/one.pid", "/log/x.org-one%I.log", sys.executable)
    arguments = ("-A", "proj", "-c", "3", "-E", "-n", "one@x.org", "--pidfile=/run/one.pid")
    arguments += ("--logfile=/log/x.org-one%I.log", "-l", "INFO", "--", "--a=b")
    assert node.arguments == arguments
    assert node.argv == ("-m", "celeriac", "worker", "--detach", *arguments)
    assert node.argv_with_executable == (sys.executable, *node.argv)
    assert (node.getopt("--concurrency", "-c"), node.getopt("-n")) == ("3", "one@x.org")
    with pytest.raises(KeyError, match="--beat"):
        node.getopt("--beat", "-B")
    assert repr(node) == "<Node: one@x.org>"


def test_a_node_may_be_started_by_another_python_or_program():
    assert Node("one", cmd="-m mine", options={"--executable": "/python"}).argv_with_executable[:3] == (
        "/python",
        "-m",
        "mine",
    )
    assert Node("one", cmd="run 'the worker'").argv_with_executable[:3] == ("run", "the worker", "-n")


def test_options_may_be_given_as_keywords():
    node = Node.from_kwargs("one@h", A="proj", max_tasks_per_child=10, beat=True, pidfile="p", logfile="l")

    assert node.arguments[:4] == ("-A", "proj", "--max-tasks-per-child=10", "--beat")
    assert (node.pidfile, node.logfile) == ("p", "l")


def test_a_node_that_does_not_run_says_so(tmp_path):
    dead = []
    node = Node("one@h", options={"--pidfile": f"{tmp_path}/one.pid"})

    assert (node.pid, node.alive()) == (None, False)
    assert node.send(15, on_error=dead.append) is False
    assert dead == [node]


@pytest.mark.covers("cli.multi")
def test_words_are_taken_apart_by_what_they_are_for():
    words = ["3", "-A", "proj", "-c:1,2", "4", "-Q:celery3", "q", "--foo=bar", "-E", "--", "--beat", "-l", "x y"]

    found = parsed(*words)
    found.add_option("beat", None, ns="1,2")
    found.add_option("l", "INFO", short=True)

    assert (found.args, found.values, found.passthrough) == (tuple(words), ["3"], "-- --beat -l 'x y'")
    assert found.options == {"-A": "proj", "--foo": "bar", "-E": None, "-l": "INFO"}
    assert found.namespaces == {"1,2": {"-c": "4", "--beat": None}, "celery3": {"-Q": "q"}}
    assert found.optmerge("celery3") == {**found.options, "-Q": "q"}
    assert found.optmerge("1,2", {"-c": "1"}) == {"-c": "4", "--beat": None}


@pytest.mark.covers("cli.multi")
def test_a_parser_makes_the_nodes_that_words_mean():
    parser = MultiParser(cmd="-m mine", append="--last", prefix="a-", suffix="-z", range_prefix="w")

    one, two = parser.parse(parsed("2", "-c", "3", "-c:2", "8", "--hostname=h"))

    assert (one.name, two.name) == ("a-w1-z@h", "a-w2-z@h")
    assert (one.getopt("-c"), two.getopt("-c")) == ("3", "8")
    assert one.argv[:2] == ("-m", "mine")
    assert one.argv[-1] == "--last"


def test_a_cluster_is_a_list_in_which_names_are_found():
    nodes = [Node("one@h"), Node("two@h")]

    cluster = Cluster(nodes)

    assert (list(cluster), len(cluster), cluster[0], cluster.data) == (nodes, 2, nodes[0], nodes)
    assert cluster.find("two@h") is cluster.find("two") is nodes[1]
    with pytest.raises(KeyError, match="three"):
        cluster.find("three")
    assert repr(cluster) == "<Cluster(2): ['one@h', 'two@h']>"


@pytest.mark.covers("cli.multi")
def test_the_tool_runs_a_command_line_and_prints_where_it_is_told_to():
    printed, failed = io.StringIO(), io.StringIO()
    tool = MultiTool(stdout=printed, stderr=failed)

    assert tool.execute_from_commandline(["multi", "names", "2", "--range-prefix=w"]) == 0
    assert printed.getvalue() == f"w1@{HOST}\nw2@{HOST}\n"
    assert tool.execute_from_commandline(["multi", "nmaes", "2"]) == 1
    assert failed.getvalue() == "multi has no command 'nmaes'. Did you mean 'names'?\n"
    assert tool.execute_from_commandline(["multi"]) == 1
    assert "which command? One of: start, stop" in failed.getvalue()
    assert [node.name for node in tool.cluster_from_argv(["a", "b@x"])] == [f"a@{HOST}", "b@x"]
    with pytest.raises(click.UsageError, match="which workers"):
        tool.names()


def test_the_tool_says_less_and_without_colour_where_it_is_told_to(tmp_path):
    printed = io.StringIO()
    stop = ["multi", "stop", "one@h", f"--pidfile={tmp_path}/one.pid"]

    assert MultiTool(stdout=printed).execute_from_commandline(stop) == 0
    assert printed.getvalue() == "> Stopping nodes...\n\t> one@h: DOWN\n"
    assert MultiTool(fh=printed, quiet=True).execute_from_commandline(stop) == 0
    assert MultiTool(fh=printed).execute_from_commandline([*stop, "-q"]) == 0
    assert printed.getvalue().count("\n") == 2


def test_a_program_that_is_not_there_is_an_error_in_a_line(tmp_path):
    failed = io.StringIO()
    words = ["multi", "start", "one@h", f"--pidfile={tmp_path}/p", f"--logfile={tmp_path}/l", "--executable=/no/python"]

    assert MultiTool(stdout=io.StringIO(), stderr=failed).execute_from_commandline(words) == 1
    assert failed.getvalue() == "/no/python cannot be run: No such file or directory\n"
