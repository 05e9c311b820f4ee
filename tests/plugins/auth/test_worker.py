"""A worker that accepts signed messages alone, and what comes to it."""

from __future__ import annotations

import sys
import textwrap
import threading

import pytest

from celeriac.app.dead_letters import DeadLetters
from celeriac.contracts import OutcomeKind
from celeriac.exceptions import SecurityError


@pytest.fixture
def app(make_app, make_signer, listener):
    app = make_app(make_signer(), worker_send_task_events=True)
    app.task(name="proj.add")(lambda x, y: x + y)
    app.plugins.register(listener)
    return app


@pytest.fixture
def events(app):
    """Return ``events()``: the events of tasks that workers have told of so far."""
    seen, ready, ended = [], threading.Event(), threading.Event()

    def listen():
        with app.connection_for_read() as connection:
            receiver = app.events.Receiver(connection, handlers={"*": seen.append})
            with receiver.consumer_context() as (own, _, __):
                ready.set()
                while not ended.is_set():
                    try:
                        own.drain_events(timeout=0.05)
                    except TimeoutError:
                        continue

    thread = threading.Thread(target=listen)
    thread.start()
    assert ready.wait(10)
    yield lambda: [event for event in list(seen) if event["type"].startswith("task-")]
    ended.set()
    thread.join(10)


def test_plain_json_is_refused_told_of_and_kept_and_stores_nothing(
    app, make_app, listener, start_worker, events, wait_until, caplog
):
    # Given a worker
    start_worker(app)
    # When somebody who signs nothing calls a task
    stranger = make_app(set_up=False, task_serializer="json", result_serializer="json")
    forged = stranger.send_task("proj.add", (1, 2))
    # Then it is not run, which the log, an event, an outcome and a dead letter tell
    (outcome,) = wait_until(lambda: listener.outcomes)
    assert (outcome.kind, outcome.task_id) == (OutcomeKind.INVALID, forged.id)
    assert f"Message of task proj.add[{forged.id}] refused as invalid" in caplog.text
    assert "accept_content does not name 'json'" in caplog.text
    assert wait_until(lambda: [event["type"] for event in events()]) == ["task-rejected"]
    letters = DeadLetters(app)
    wait_until(lambda: letters.counts(["celery"]) == {"celery": 1})
    assert letters.show("celery")[0].task_id == forged.id
    # And nothing is stored under an id that a stranger has chosen
    assert app.backend.fetch([forged.id]) == {}


def test_a_body_of_another_signer_than_it_says_is_refused_where_tasks_run(
    app, make_app, make_signer, listener, start_worker, wait_until, caplog
):
    start_worker(app)
    stranger = make_app(make_signer("stranger", trusted=False))
    forged = stranger.send_task("proj.add", (1, 2))
    (outcome,) = wait_until(lambda: listener.outcomes)
    assert (outcome.kind, outcome.task_id) == (OutcomeKind.INVALID, forged.id)
    assert "nobody here trusts 'stranger" in caplog.text
    assert app.backend.fetch([forged.id]) == {}
    assert app.send_task("proj.add", (1, 2)).get(timeout=10) == 3


def test_results_and_events_that_are_not_signed_are_not_believed(
    app, make_app, events, start_worker, caplog, wait_until
):
    # Given a result and an event of somebody who signs nothing, where those are that are signed
    stranger = make_app(set_up=False, task_serializer="json", result_serializer="json", event_serializer="json")
    with stranger.connection_for_write() as connection, stranger.events.Dispatcher(connection) as dispatcher:
        dispatcher.send("task-succeeded", uuid="x", result="1", runtime=1.0)
    wait_until(lambda: "that is no event is dropped" in caplog.text)
    assert events() == []
    with pytest.raises(SecurityError, match="accept_content does not name 'json'"):
        app.serializers.decode_result(b"{}", "application/json")


def test_a_signed_result_in_the_place_of_another_is_not_believed(app, start_worker):
    # Given two results
    start_worker(app)
    one, other = app.send_task("proj.add", (1, 2)), app.send_task("proj.add", (3, 4))
    assert (one.get(timeout=10), other.get(timeout=10)) == (3, 7)
    # When somebody who can write to the store puts one in the place of the other
    fetch = app.backend.fetch
    app.backend.fetch = lambda ids: {task_id: fetch([one.id])[one.id] for task_id in ids}
    # Then whoever reads it is told
    assert app.AsyncResult(one.id).result == 3
    with pytest.raises(SecurityError, match=f"the result of task '{one.id}' where that of {other.id} should be"):
        _ = app.AsyncResult(other.id).result


def test_a_signer_may_come_and_go_while_a_worker_runs(
    app, make_app, make_signer, store, start_worker, listener, wait_until
):
    # Given a worker that runs
    start_worker(app)
    assert app.send_task("proj.add", (1, 2)).get(timeout=10) == 3
    trust = app.serializers.get("auth").content.trust
    # When somebody's certificate comes into the store
    new = make_signer("new")
    trust.store.refresh()
    client = make_app(new)
    # Then that one's messages run
    assert client.send_task("proj.add", (3, 4)).get(timeout=10) == 7
    # And when it has gone, they do not
    (store / new.cert_path.name).unlink()
    trust.store.refresh()
    client.send_task("proj.add", (3, 4))
    wait_until(lambda: [outcome.kind for outcome in listener.outcomes][2:] == [OutcomeKind.INVALID])


FLEET = """
    import os
    import sys
    from celeriac import Celery

    home = os.environ["FLEET_HOME"]
    app = Celery("proj", broker=f"sqlite:///{home}/queue.db", backend=f"sqlite:///{home}/results.db")
    app.conf.update(
        task_serializer="auth", event_serializer="auth", result_serializer="auth",
        security_key=os.environ["FLEET_KEY"], security_certificate=os.environ["FLEET_CERT"],
        security_cert_store=f"{home}/store", security_sign_headers=True, task_acks_late=True,
        task_routes={"left": {"queue": "left"}, "right": {"queue": "right"}},
    )
    app.setup_security()

    @app.task(name="left")
    def left(path):
        return [*path, "left"]

    @app.task(name="right")
    def right(path):
        return [*path, "right"]

    @app.task(name="fragile", reject_on_worker_lost=True)
    def fragile():
        try:
            open(f"{home}/begun", "x").close()
        except FileExistsError:
            return "ran again"
        os._exit(9)

    if sys.argv[-1] == "fragile":
        print("SEEN", fragile.apply_async(queue="left").get(timeout=40))
    elif __name__ == "__main__":
        sent = left.s([]) | right.s() | left.s() | right.s()
        print("SEEN", sent.delay().get(timeout=40))
"""


@pytest.fixture
def fleet(spawn, make_signer, tmp_path):
    """Return ``fleet(name, *command)``: the module run as one of three, each with a key of its own."""
    (tmp_path / "fleet.py").write_text(textwrap.dedent(FLEET))
    kinds = {"left": "ed25519", "right": "ec", "client": "rsa"}
    signers = {name: make_signer(name, kind) for name, kind in kinds.items()}

    def start(name, *command):
        signer = signers[name]
        keys = {"FLEET_KEY": str(signer.key_path), "FLEET_CERT": str(signer.cert_path), "FLEET_HOME": str(tmp_path)}
        return spawn(sys.executable, *command, env=keys, cwd=tmp_path)

    return start


def serve(fleet, name):
    """A worker with processes of its own, ready."""
    options = ("-P", "prefork", "-c", "1", "-l", "INFO", "-Q", name, "-n", f"{name}@here")
    worker = fleet(name, "-m", "celeriac", "-A", "fleet", "worker", *options, "--without-mingle", "--without-gossip")
    worker.wait_for_output("ready.")
    return worker


def test_a_chain_goes_through_workers_with_keys_of_their_own(fleet):
    # Given two workers and a client
    workers = [serve(fleet, name) for name in ("left", "right")]

    # When a chain goes from one to the other
    client = fleet("client", "fleet.py")

    # Then each step is believed, whoever has sent it on
    assert client.wait(50) == 0, client.output()
    assert "SEEN ['left', 'right', 'left', 'right']" in client.output()
    assert not any("refused" in worker.output() for worker in workers)


def test_a_message_whose_process_died_is_no_copy_of_itself(fleet):
    # Given a task whose process dies the first time, and whose message then comes again
    worker = serve(fleet, "left")
    client = fleet("client", "fleet.py", "fragile")
    # Then it runs again
    assert client.wait(50) == 0, f"{client.output()}\n{worker.output()}"
    assert "SEEN ran again" in client.output()
