"""``celeriac``: what a person types, what it answers, how it fails, and how little it loads."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import uuid
from datetime import UTC, datetime

import click
import pytest

from celeriac.app.base import Celery
from celeriac.cli.main import celeriac_command, run
from celeriac.cli.state import State

TASKS = """
from celeriac import Celery

app = Celery("proj")

@app.task
def add(x, y):
    return x + y
"""
SCRIPT = [sys.executable, "-m", "celeriac"]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A directory with a ``tasks.py``, which is the current one."""
    (tmp_path / "tasks.py").write_text(TASKS)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in ("tasks", "celeryconfig", "broken", "empty", "deep"):
        sys.modules.pop(name, None)


@pytest.fixture
def seen(monkeypatch):
    """What the command ``probe`` has been called with; it stands for any command of a plugin."""
    found = {}

    @click.command("probe")
    @click.option("-x", "--speed", type=int)
    @click.argument("words", nargs=-1)
    @click.pass_obj
    def probe(state, speed, words):
        found.update(speed=speed, words=words, quiet=state.quiet, no_color=state.no_color, debug=state.debug)
        found.update(app=state.app.main, broker=state.app.conf.broker_url, results=state.app.conf.result_backend)
        found.update(directory=os.getcwd())

    monkeypatch.setitem(celeriac_command.commands, "probe", probe)
    monkeypatch.delenv("NO_COLOR", raising=False)
    return found


# -- help --------------------------------------------------------------------------------------------------------------


def test_help_lists_options_and_commands_each_with_a_line(celeriac):
    code, output, _ = celeriac("--help")
    assert code == 0
    for word in ("--app", "--broker", "--debug", "worker   Run a worker.", "purge    Remove all messages"):
        assert word in output


@pytest.mark.parametrize("command", ["worker", "call", "result", "purge", "report", "plugins"])
def test_each_command_has_help_that_does_not_repeat_the_global_options(celeriac, command):
    code, output, _ = celeriac(command, "--help")
    assert code == 0
    assert "Usage: celeriac" in output
    assert "--result-backend" not in output


def test_help_loads_no_command_no_kombu_and_no_worker():
    code = (
        "import sys\nfrom celeriac.cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit as ended:\n    assert ended.code == 0\n"
        "heavy = [name for name in sys.modules if name.split('.')[0] in {'kombu', 'amqp', 'sqlite3', 'asyncio'}]\n"
        "ours = [name for name in sys.modules if name.startswith(('celeriac.worker', 'celeriac.app.base'))]\n"
        "kernels = [name for name in ('worker', 'basics', 'plugins') if 'celeriac.cli.' + name in sys.modules]\n"
        "print(heavy + ours + kernels)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.splitlines()[-1] == "[]"


def test_python_m_celeriac_is_the_same_command(project):
    done = subprocess.run([*SCRIPT, "--version"], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.startswith("celeriac")


# -- global options ----------------------------------------------------------------------------------------------------


@pytest.mark.covers("cli", "cli.--app")
@pytest.mark.parametrize("place", ["before", "after", "between"])
def test_global_options_are_taken_before_the_command_and_after_it(celeriac, seen, project, place):
    given = ["-A", "tasks", "-b", "memory://one", "--result-backend=memory://two", "-q", "-C"]
    arguments = {
        "before": [*given, "probe", "-x", "3", "word"],
        "after": ["probe", "-x", "3", "word", *given],
        "between": ["-A", "tasks", "probe", "-b", "memory://one", "-x", "3", *given[4:], "word"],
    }[place]
    code, _, errors = celeriac(*arguments)
    assert (code, errors) == (0, "")
    assert seen["app"] == "proj"
    assert (seen["broker"], seen["results"]) == ("memory://one", "memory://two")
    assert (seen["quiet"], seen["no_color"], seen["debug"]) == (True, True, False)
    assert (seen["speed"], seen["words"]) == (3, ("word",))


def test_the_last_of_two_counts(celeriac, seen, project):
    assert celeriac("-b", "memory://one", "probe", "-b", "memory://two")[0] == 0
    assert seen["broker"] == "memory://two"


def test_values_that_look_like_global_options_are_values(celeriac, seen, project):
    assert celeriac("probe", "--", "-A", "nowhere", "-q")[0] == 0
    assert seen["words"] == ("-A", "nowhere", "-q")
    assert not seen["quiet"]


def test_a_clustered_option_of_the_command_is_not_taken_for_global_ones(celeriac, project):
    # -lCRITICAL holds C and A
    code, _, errors = celeriac("worker", "-lCRITICAL", "-A", "tasks", "-c", "none")
    assert code == 1
    assert "worker_concurrency must be a number from 1" in errors


def test_a_command_keeps_an_option_of_its_own_that_is_called_like_a_global_one(celeriac, monkeypatch, project):
    found = []

    @click.command("own")
    @click.option("-b", "--big", is_flag=True)
    @click.option("--broker")
    def own(big, broker):
        found.append((big, broker))

    monkeypatch.setitem(celeriac_command.commands, "own", own)
    assert celeriac("own", "-b", "--broker", "mine")[0] == 0
    assert found == [(True, "mine")]


def test_commands_below_commands_take_them_too(celeriac, project):
    code, output, _ = celeriac("plugins", "list", "--quick", "--json", "-A", "tasks")
    assert code == 0
    assert json.loads(output)
    code, _, errors = celeriac("plugins", "list", "-A", "nowhere")
    assert code == 1
    assert "cannot find the app 'nowhere'" in errors


@pytest.mark.covers("cli.--workdir")
@pytest.mark.parametrize("place", ["before", "after"])
def test_workdir_is_where_the_app_is_looked_for(celeriac, seen, project, monkeypatch, place):
    (project / "below").mkdir()
    (project / "below" / "deep.py").write_text(TASKS.replace("proj", "deep"))
    given = ["--workdir", "below", "-A", "deep"]
    code, _, errors = celeriac(*given, "probe") if place == "before" else celeriac("probe", *given)
    assert (code, errors) == (0, "")
    assert seen["app"] == "deep"
    assert seen["directory"] == str(project / "below")


def test_a_workdir_that_is_not_there_is_an_error_in_a_line(celeriac, project):
    code, _, errors = celeriac("report", "--workdir", "nowhere")
    assert code == 2
    assert "cannot work in nowhere: No such file or directory" in errors


def test_the_app_may_be_named_by_the_environment(celeriac, seen, project, monkeypatch):
    monkeypatch.setenv("CELERY_APP", "tasks")
    assert celeriac("probe")[0] == 0
    assert seen["app"] == "proj"


@pytest.mark.covers("cli.--broker", "cli.--app")
def test_the_broker_of_the_command_line_beats_all_that_the_app_says(celeriac, project):
    app = Celery("proj", broker_read_url="memory://read", broker_write_url="memory://write", set_as_current=False)
    state = State(app)
    state.take({"broker": "memory://mine"})
    assert [state.app.broker_url(write) for write in (False, True)] == ["memory://mine"] * 2
    app.close()


@pytest.mark.covers("app.base.Celery.start", "cli")
def test_an_app_runs_its_own_command_line(celeriac, seen, project):
    app = Celery("own", broker="memory://own", set_as_current=False)
    with pytest.raises(SystemExit) as ended:
        app.start(["probe", "word"])
    assert ended.value.code == 0
    assert (seen["app"], seen["words"]) == ("own", ("word",))
    with pytest.raises(ValueError, match="needs the word 'worker'"):
        app.worker_main(["-l", "INFO"])
    app.close()


@pytest.mark.covers("app.base.Celery.user_options", "app.base.Celery.steps", "cli.worker")
def test_options_of_users_reach_the_steps_of_the_worker_and_no_other_app(celeriac, project):
    from celeriac.bootsteps import Step

    given = []

    class Greeter(Step):
        def __init__(self, parent, greeting=None, **options):
            given.append(greeting)
            raise SystemExit(0)

    app = Celery("own", broker="memory://", set_as_current=False)
    app.user_options["worker"] = {click.Option(["--greeting"])}
    app.steps["worker"].add(Greeter)
    code, _, errors = celeriac("worker", "-P", "solo", "--greeting", "hello", app=app)
    assert (code, errors) == (0, "")
    assert given == ["hello"]
    other = Celery("other", broker="memory://", set_as_current=False)
    code, _, errors = celeriac("worker", "--greeting", "hello", app=other)
    assert code == 2
    assert "No such option" in errors
    app.close()
    other.close()


@pytest.mark.parametrize("arguments", [("-A", "own_options", "worker"), ("worker", "-A", "own_options")])
def test_options_of_users_are_known_wherever_the_app_is_named(celeriac, project, arguments):
    (project / "own_options.py").write_text(
        "import click\nfrom celeriac import Celery\napp = Celery('own', broker='memory://')\n"
        "app.user_options['worker'].add(click.Option(['--greeting'], help='What to say.'))\n"
    )
    code, output, errors = celeriac(*arguments, "--help")
    sys.modules.pop("own_options", None)
    assert (code, errors) == (0, "")
    assert "--greeting TEXT" in output


# -- errors ------------------------------------------------------------------------------------------------------------


def test_a_command_that_is_not_there_is_an_error_with_the_nearest_name(celeriac):
    code, _, errors = celeriac("wroker")
    assert code == 2
    assert "Did you mean 'worker'?" in errors


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nowhere", "cannot find the app 'nowhere': tried module nowhere"),
        ("tasks:other", "tried module tasks, attribute tasks:other"),
        ("tasks.py", "that is a file. Name the module: -A tasks"),
        ("./proj/tasks.py", "that is a file. Name the module: -A proj.tasks"),
        (":app", "it names no module"),
        ("empty", "Name it: -A empty:name_of_the_app"),
        (
            "broken",
            "the module broken cannot be imported: ZeroDivisionError: division by zero (PROJECT/broken.py, line 3)",
        ),
        ("needy", "the module needy cannot be imported: ModuleNotFoundError: No module named 'no_such_client'"),
        ("garbled", "the module garbled cannot be imported: SyntaxError:"),
    ],
)
def test_an_app_that_cannot_be_had_is_an_error_in_a_line_that_says_why(celeriac, project, place, name, told):
    (project / "empty.py").write_text("")
    (project / "broken.py").write_text("\n\n1 / 0\n")
    (project / "needy.py").write_text("import no_such_client\n")
    (project / "garbled.py").write_text("def (\n")
    arguments = ["-A", name, "report"] if place == "before" else ["report", "-A", name]
    code, output, errors = celeriac(*arguments)
    assert code == 1
    assert told.replace("PROJECT", str(project)) in errors
    assert "Traceback" not in errors
    assert errors.count("\n") == 1
    assert output == ""


def test_an_error_that_is_not_ours_names_its_type_and_the_way_to_its_traceback(celeriac, monkeypatch):
    @click.command("failing")
    def failing():
        raise LookupError("what was it?")

    monkeypatch.setitem(celeriac_command.commands, "failing", failing)
    code, _, errors = celeriac("failing")
    assert code == 1
    assert errors == "Error: LookupError: what was it?\nRun it again with --debug for the traceback.\n"
    for arguments in (["--debug", "failing"], ["failing", "--debug"]):
        with pytest.raises(LookupError):
            run(None, arguments)


def test_a_broker_out_of_reach_is_an_error_in_a_line(celeriac, project):
    (project / "tasks.py").write_text(
        TASKS.replace('"proj"', '"proj", broker="amqp://guest:secret@127.0.0.1:1//",'
        ' broker_transport="kombu.transport.pyamqp:Transport", broker_connection_retry_on_startup=False')
    )  # fmt: skip
    code, _, errors = celeriac("-A", "tasks", "worker", "-P", "solo", "-q")
    assert code == 1
    assert "Error: cannot reach the broker amqp://guest:**@127.0.0.1:1//: " in errors
    assert "secret" not in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("url", "words"),
    [
        *(
            ("redis://:secret@127.0.0.1:1/0", words)
            for words in (
                *("call t", "status -t 0.1", "inspect ping", "purge -f", "queues", "dlq list", "dlq show celery"),
                *("amqp queue.declare x", "graph workers", "migrate URL memory://"),
            )
        ),
        ("amqp://guest:secret@127.0.0.1:1//", "purge -f"),
        ("amqp://guest:secret@127.0.0.1:1//", "migrate URL memory://"),
    ],
)
def test_where_the_broker_is_away_each_command_says_which_and_what_to_do(celeriac, project, words, url):
    (project / "tasks.py").write_text(TASKS.replace('"proj"', '"proj", task_publish_retry=False'))
    code, output, errors = celeriac("-A", "tasks", "-b", url, *words.replace("URL", url).split())
    assert (code, output.replace("-> evdump: starting capture...\n", "")) == (1, "")
    told, hint = errors.splitlines()
    assert told.startswith(f"Error: cannot reach the broker {url.replace('secret', '**').rstrip('/')}")
    assert hint == "Is it running? -b names another one; `celeriac doctor` looks for what is at fault."
    assert "secret" not in errors
    sys.modules["tasks"].app.close()


@pytest.mark.parametrize("words", ["status", "queues", "purge -f", "migrate URL memory://", "doctor"])
def test_where_the_broker_refuses_the_login_each_command_says_which_and_what_to_check(
    celeriac, project, words, rabbitmq_url
):
    (project / "tasks.py").write_text(TASKS)
    url = re.sub("//.*@", "//guest:secret@", rabbitmq_url)
    code, output, errors = celeriac("-A", "tasks", "-b", url, *words.replace("URL", url).split())
    assert code == 1
    told = re.search(r"^(?:Error: the|FAIL  broker:)(?: broker)? (\S+) refuses: (.*)$", output + errors, re.MULTILINE)
    assert told is not None
    assert told[1] == url.replace("secret", "**")
    assert "check the user, the password and the login method" in told[2]
    assert "secret" not in output + errors
    assert "Traceback" not in errors
    sys.modules["tasks"].app.close()


def test_where_the_result_store_is_away_it_is_named(celeriac, project):
    url = "redis://:secret@127.0.0.1:1/0"
    code, _, errors = celeriac("-A", "tasks", "--result-backend", url, "beat", "schedule", "list")
    assert code == 1
    told, hint = errors.splitlines()
    assert told.startswith("Error: cannot reach the result store redis://:**@127.0.0.1:1/0: ")
    assert hint.startswith("Is it running? --result-backend names another one;")
    sys.modules["tasks"].app.close()


def test_an_error_of_files_is_not_taken_for_one_of_the_broker(celeriac, project, monkeypatch):
    @click.command("filing")
    @click.pass_obj
    def filing(state):
        state.app.set_default()
        os.stat("nowhere/at/all")

    monkeypatch.setitem(celeriac_command.commands, "filing", filing)
    code, _, errors = celeriac("-A", "tasks", "filing")
    assert (code, errors.partition(":")[0]) == (1, "Error")
    assert "FileNotFoundError" in errors
    assert "broker" not in errors


def test_a_person_who_interrupts_gets_130(celeriac, monkeypatch):
    @click.command("interrupted")
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setitem(celeriac_command.commands, "interrupted", interrupted)
    assert celeriac("interrupted")[0] == 130


def test_a_reader_who_has_had_enough_sees_no_traceback(project):
    # Of a pipe whose reader is gone
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*SCRIPT, "report"], stdout=writer, stderr=subprocess.PIPE, text=True, check=False, timeout=30
    )
    os.close(writer)
    assert done.stderr == ""
    assert done.returncode == 1


# -- commands ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def in_memory(project):
    url = f"memory://{uuid.uuid4()}"
    app = Celery("proj", broker=url, backend=url, set_as_current=False)
    app.task(name="tasks.add")(lambda x, y: x + y)
    yield app
    app.close()


@pytest.mark.covers("cli.call", "cli.result")
def test_call_sends_a_task_and_result_prints_what_became_of_it(celeriac, in_memory):
    code, output, _ = celeriac("call", "tasks.add", "-a", "[2]", "-k", '{"y": 3}', app=in_memory)
    assert code == 0
    task_id = output.strip()
    in_memory.results.store_state(task_id, "SUCCESS", 5)
    code, output, _ = celeriac("result", task_id, app=in_memory)
    assert (code, output) == (0, "5\n")
    in_memory.results.store_state("failed", "FAILURE", ValueError("no"), traceback="Traceback: here")
    assert celeriac("result", "failed", app=in_memory)[1] == "ValueError('no')\n"
    assert celeriac("result", "failed", "--traceback", app=in_memory)[1] == "Traceback: here\n"


def test_a_result_that_does_not_come_is_an_error_in_a_line(celeriac, in_memory):
    code, _, errors = celeriac("result", "nowhere", "--timeout", "0.01", app=in_memory)
    assert code == 1
    assert "is a worker running" in errors


@pytest.mark.covers("cli.call")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["-a", "[1"], "not JSON"),
        (["-a", "{}"], "must be a JSON list"),
        (["-k", "[]"], "must be a JSON map"),
        (["--countdown", "soon"], "soon"),
    ],
)
def test_call_says_which_argument_is_wrong(celeriac, in_memory, arguments, told):
    code, _, errors = celeriac("call", "tasks.add", *arguments, app=in_memory)
    assert code == 2
    assert told in errors


def test_call_sends_a_task_that_is_not_known_here_and_tells_of_one_that_is_nearly_called_so(celeriac, in_memory):
    code, output, errors = celeriac("call", "tasks.ad", app=in_memory)
    assert (code, output.count("\n")) == (0, 1)
    assert errors == "Sent, although the app here has no task 'tasks.ad'. Did you mean 'tasks.add'?\n"
    assert celeriac("call", "elsewhere.entirely", app=in_memory)[2] == ""
    assert celeriac("purge", "-f", app=in_memory)[1] == "2 messages removed\n"


@pytest.mark.covers("cli.call")
@pytest.mark.parametrize("expires", ["60", "1.5", "2999-01-01T00:00:00+00:00"])
def test_call_passes_on_when_and_where(celeriac, in_memory, expires):
    code, output, _ = celeriac("call", "tasks.add", "--expires", expires, "--queue", "special", app=in_memory)
    assert code == 0
    with in_memory.connection_for_read() as connection:
        message = in_memory.amqp.queues["special"](connection.default_channel).get()
        assert message.headers["id"] == output.strip()
        assert message.headers["expires"] > datetime.now(UTC).isoformat()
        message.ack()


@pytest.mark.covers("cli.purge")
def test_purge_asks_first_and_counts(celeriac, in_memory, monkeypatch):
    for _ in range(3):
        in_memory.send_task("tasks.add", (1, 2))
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    assert celeriac("purge", app=in_memory)[0] == 130
    assert celeriac("purge", "-f", app=in_memory)[1] == "3 messages removed\n"
    assert celeriac("purge", "-f", app=in_memory)[1] == "0 messages removed\n"
    code, _, errors = celeriac("purge", "-f", "-X", "celery", app=in_memory)
    assert code == 2
    assert "no queue is left" in errors


@pytest.mark.covers("cli.report", "app.base.Celery.bugreport")
def test_report_masks_passwords(celeriac, project):
    app = Celery("proj", broker="amqp://me:secret@host//", result_backend="redis://:secret@host/", set_as_current=False)
    code, output, errors = celeriac("report", app=app)
    assert code == 0
    assert "broker_url: 'amqp://me:**@host//'" in output
    assert "secret" not in output + errors
    app.close()


# -- graph -------------------------------------------------------------------------------------------------------------


@pytest.mark.covers("cli.graph", "cli.graph bootsteps")
def test_the_bootsteps_of_worker_and_consumer_are_drawn_for_graphviz(project, celeriac):
    code, both, _ = celeriac("-A", "tasks", "graph", "bootsteps")
    assert code == 0
    assert all(edge in both for edge in ('"Pool" -> "Hub"', '"Connection" -> "Consumer"', '"Tasks" -> "Connection"'))
    code, consumer, _ = celeriac("-A", "tasks", "graph", "bootsteps", "consumer")
    assert code == 0
    assert '"Pool"' not in consumer


@pytest.mark.covers("app.base.Celery.user_options")
def test_an_app_may_add_options_to_every_command(celeriac, app):
    from celeriac import signals

    told = []
    app.user_options["preload"].add(click.Option(["-Z", "--tenant"], default="nobody", help="Whose data."))
    app.task(name="tasks.add")(lambda x, y: x + y)

    def note(options, app, **_):
        told.append((app.main, options))

    signals.user_preload_options.connect(note)
    try:
        assert celeriac("report", "--tenant", "us", app=app)[0] == 0
        assert celeriac("purge", "-f", app=app)[0] == 0
    finally:
        signals.user_preload_options.disconnect(note)

    assert told == [("proj", {"tenant": "us"}), ("proj", {"tenant": "nobody"})]
    assert "Whose data." in celeriac("report", "--help", app=app)[1]


@pytest.mark.parametrize(("arguments", "seconds"), [(["--help"], 0.25), (["worker", "--help"], 0.6)])
def test_help_costs_little_however_many_plugins_there_are(arguments, seconds):
    import resource

    def used():
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    # The best of three, in CPU time: what others do on the machine is none of its cost
    costs = []
    for _ in range(3):
        before = used()
        subprocess.run([*SCRIPT, *arguments], capture_output=True, check=True, timeout=30)
        costs.append(used() - before)

    assert min(costs) < seconds, costs


@pytest.mark.covers("cli.--no-color")
@pytest.mark.parametrize("how", ["colour", "NO_COLOR", "-C", "--no-color"])
def test_there_is_colour_for_people_who_do_not_mind(how, monkeypatch):
    import pty

    # Given a terminal
    ours, theirs = pty.openpty()
    options = [how] if how.startswith("-") else []
    monkeypatch.delenv("NO_COLOR", raising=False)
    if how == "NO_COLOR":
        monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")

    # When something is printed in it that has colour, and a table
    for words in (["multi", "start", "one", "--cmd=true", "--pidfile=%n.pid"], ["queues", "-t", "0"]):
        subprocess.run(
            [*SCRIPT, "-b", "memory://", words[0], *words[1:], *options], stdout=theirs, check=True, timeout=30
        )
    os.close(theirs)
    shown = os.read(ours, 65536)
    os.close(ours)

    # Then that is as it is wished
    assert b"celery" in shown
    assert (b"\x1b[" in shown) == (how == "colour")


@pytest.mark.covers("cli.call", "cli.result", "cli.purge", "cli.report")
def test_what_the_everyday_commands_print_can_be_had_as_json(celeriac):
    url = f"memory://{uuid.uuid4().hex}"
    app = Celery("proj", broker=url, backend=url, set_as_current=False)
    task_id = json.loads(celeriac("call", "tasks.add", "--json", app=app)[1])["id"]
    app.results.store_state(task_id, "SUCCESS", [1])

    assert json.loads(celeriac("result", task_id, "--json", app=app)[1]) == {
        "id": task_id,
        "state": "SUCCESS",
        "result": [1],
        "traceback": None,
    }
    assert json.loads(celeriac("purge", "-f", "--json", app=app)[1]) == {"removed": 1}
    found = json.loads(celeriac("report", "--json", app=app)[1])
    assert found["settings"]["broker_url"] == url
    assert any("celeriac" in value for value in [*found["facts"], *found["facts"].values()])
    app.close()


@pytest.mark.parametrize("name", ["json", "celeriac", "pytest", "tests"])
def test_a_project_that_would_hide_a_module_is_refused(celeriac, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    code, _, errors = celeriac("init", name)
    assert code == 2
    assert f"{name!r} is the name of a module that is there already" in errors
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", ["worker -P solo", "beat"])
def test_a_log_file_that_cannot_be_written_is_an_error_in_a_line(celeriac, project, words):
    (project / "tasks.py").write_text(TASKS)
    path = project / "absent" / "log"
    code, _, errors = celeriac("-A", "tasks", *words.split(), "--logfile", str(path))
    assert code == 1
    told = f"the log file {path} cannot be written: No such file or directory; name another with --logfile"
    assert errors.splitlines()[-1] == f"Error: {told}"


@pytest.mark.parametrize(
    "words", ["worker --time-limit -1", "worker --prefetch-multiplier -1", "worker --max-tasks-per-child -1",
              "beat --max-interval -5"]
)  # fmt: skip
def test_what_cannot_be_below_zero_is_refused(celeriac, words):
    code, _, errors = celeriac(*words.split())
    assert code == 2
    assert "is not in the range x>=0" in errors
