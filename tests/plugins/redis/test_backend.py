"""The result store keeps its contract, and the keys are those of Celery."""

from __future__ import annotations

import json
import os
import threading
import time
import traceback
import zlib
from contextlib import closing
from datetime import timedelta

import pytest
from redis import Redis

from celeriac import Celery
from celeriac.contracts import StoredResult
from celeriac.exceptions import ImproperlyConfigured, ProtocolError, SecurityError, StoreUnavailable
from celeriac_redis.backend import RedisBackend
from celeriac_redis.link import Link


@pytest.fixture
def make(url, prefix, server):
    """Return ``make(url, **settings)``: a result store of its own, closed at the end."""
    made = []

    def make_backend(url=url, **settings):
        app = Celery("proj", set_as_current=False, broker="memory://")
        app.conf.result_backend_transport_options = {"global_keyprefix": prefix}
        for name, value in settings.items():
            setattr(app.conf, name, value)
        made.append(RedisBackend(app, url))
        return made[-1]

    yield make_backend
    for backend in made:
        backend.close()


@pytest.fixture
def backend(make):
    return make()


def result(task_id, state="SUCCESS", value=42, **given):
    return StoredResult(task_id, state, {"status": state, "result": value, "task_id": task_id}, **given)


# --- keys and values --------------------------------------------------------------------------------------------------


def test_a_result_is_json_under_celerys_key_for_a_day(backend, server, prefix):
    backend.store([result("a", value={"deep": [1, None, "ü"]})])
    key = f"{prefix}celery-task-meta-a"
    assert json.loads(server.get(key)) == {"status": "SUCCESS", "result": {"deep": [1, None, "ü"]}, "task_id": "a"}
    assert 86390 < server.ttl(key) <= 86400


@pytest.mark.covers("settings.result_backend_transport_options")
@pytest.mark.parametrize(
    ("given", "joined"), [("", ""), ("a", "a_"), ("a:", "a:"), ("a_", "a_"), ("a-", "a-"), ("a.", "a.")]
)
def test_the_prefix_is_joined_as_celery_joins_it(make, server, prefix, given, joined):
    start = f"{prefix}{given}" if given else prefix
    backend = make(result_backend_transport_options={"global_keyprefix": start})
    backend.store([result("x")])
    backend.store_group("g", {"result": []})
    wanted = prefix + joined
    assert set(server.scan_iter(f"{prefix}*")) == {
        f"{wanted}celery-task-meta-x".encode(),
        f"{wanted}celery-taskset-meta-g".encode(),
    }


def test_a_result_is_told_on_the_channel_of_its_key(backend, server, prefix):
    with server.pubsub(ignore_subscribe_messages=True) as pubsub:
        pubsub.subscribe(f"{prefix}celery-task-meta-a")
        assert pubsub.get_message(timeout=5) is None
        backend.store([result("a")])
        told = pubsub.get_message(timeout=5)
    assert told["data"] == server.get(f"{prefix}celery-task-meta-a")


def test_what_celery_stored_is_read(backend, server, prefix):
    meta = {"status": "FAILURE", "result": {"exc_type": "KeyError", "exc_message": ["x"], "exc_module": "builtins"}}
    server.set(f"{prefix}celery-task-meta-a", json.dumps({**meta, "task_id": "a", "traceback": "..."}), ex=100)
    found = backend.fetch(["a"])["a"]
    assert found["result"]["exc_type"] == "KeyError"
    compressed = b"\x00celery-compressed\x00application/x-gzip\x00" + zlib.compress(json.dumps(meta).encode())
    server.set(f"{prefix}celery-task-meta-b", compressed)
    assert backend.fetch(["b"])["b"] == meta


def test_an_error_that_is_nested_without_end_is_refused(app, server, prefix):
    deep = "[" * 5000 + "]" * 5000
    error = f'{{"exc_type": "ValueError", "exc_module": "builtins", "exc_message": {deep}}}'
    server.set(f"{prefix}celery-task-meta-a", f'{{"status": "FAILURE", "task_id": "a", "result": {error}}}')

    with pytest.raises(ProtocolError, match="nested deeper"):
        app.AsyncResult("a").get(timeout=5)


@pytest.mark.covers("settings.result_failure_expires", "settings.result_expires", "backends.redis")
@pytest.mark.parametrize(
    ("settings", "given", "kept"),
    [
        ({"result_expires": timedelta(hours=1)}, {}, 3600),
        ({"result_expires": None}, {}, -1),
        ({}, {"expires": 10}, 10),
        ({"result_failure_expires": 60}, {"state": "FAILURE"}, 60),
        ({"result_failure_expires": 60}, {"state": "SUCCESS"}, 86400),
    ],
)
def test_a_result_is_kept_as_long_as_is_asked(make, server, prefix, settings, given, kept):
    make(**settings).store([result("a", **given)])
    assert kept - 2 <= server.ttl(f"{prefix}celery-task-meta-a") <= kept


def test_a_group_is_kept_under_celerys_key(backend, server, prefix):
    backend.store_group("g", {"result": [["g", None], []]}, expires=50)
    assert json.loads(server.get(f"{prefix}celery-taskset-meta-g")) == {"result": [["g", None], []]}
    assert 48 <= server.ttl(f"{prefix}celery-taskset-meta-g") <= 50
    assert backend.fetch_group("g") == {"result": [["g", None], []]}
    backend.delete_group("g")
    assert backend.fetch_group("g") is None


# --- states -----------------------------------------------------------------------------------------------------------


def test_a_later_state_replaces_an_earlier_one_but_never_a_success(backend):
    backend.store([result("a", "STARTED"), result("a", "RETRY"), result("a", "SUCCESS", 1)])
    backend.store([result("a", "STARTED"), result("a", "FAILURE")])
    backend.store([result("a", "SUCCESS", 2)])
    assert backend.fetch(["a"])["a"]["result"] == 1


def test_a_result_that_says_success_in_other_places_is_replaced(backend):
    backend.store([result("a", "RETRY", '"status": "SUCCESS"'), result("b", "PROGRESS", {"status": "SUCCESS"})])
    backend.store([result("a", "FAILURE"), result("b", "FAILURE")])
    assert {meta["status"] for meta in backend.fetch(["a", "b"]).values()} == {"FAILURE"}


def test_a_success_stays_also_where_the_server_cannot_read_it(make):
    compressing, plain = make(result_compression="bzip2"), make()
    compressing.store([result("a", "SUCCESS", 1), result("b", "STARTED")])
    plain.store([result("a", "FAILURE"), result("b", "FAILURE"), result("c")])
    assert {key: meta["status"] for key, meta in plain.fetch(["a", "b", "c"]).items()} == {
        "a": "SUCCESS",
        "b": "FAILURE",
        "c": "SUCCESS",
    }


def test_a_result_nested_deeper_than_the_server_reads_is_judged_here(backend):
    deep: list = []
    for _ in range(90):
        deep = [deep]
    backend.store([result("a", "SUCCESS", deep)])
    backend.store([result("a", "FAILURE")])
    assert backend.fetch(["a"])["a"]["status"] == "SUCCESS"


def test_what_nobody_can_read_is_replaced(backend, server, prefix):
    server.set(f"{prefix}celery-task-meta-a", b"\x80junk")
    with pytest.raises(ProtocolError):
        backend.fetch(["a"])
    backend.store([result("a")])
    assert backend.fetch(["a"])["a"]["status"] == "SUCCESS"


# --- compression ------------------------------------------------------------------------------------------------------


@pytest.mark.covers("settings.result_compression")
@pytest.mark.parametrize("name", ["gzip", "bzip2", "lzma"])
def test_compressed_results_come_back(make, server, prefix, name):
    backend = make(result_compression=name)
    backend.store([result("a", value="x" * 100_000)])
    assert server.strlen(f"{prefix}celery-task-meta-a") < 2000
    assert server.get(f"{prefix}celery-task-meta-a").startswith(b"\x00celery-compressed\x00application/x-")
    with closing(backend.watch()) as watcher:
        watcher.add(["a"])
        (meta,) = watcher.wait(5)
    assert meta["result"] == "x" * 100_000


def test_unknown_and_damaged_compression_is_refused(make, backend, server, prefix):
    with pytest.raises(ImproperlyConfigured, match="result_compression is 'snappy'"):
        make(result_compression="snappy").store([result("a")])
    whole = zlib.compress(b"{}")
    for kind, data in [(b"x-other", b"x"), (b"application/x-gzip", b"junk"), (b"application/x-gzip", whole[:-3])]:
        server.set(f"{prefix}celery-task-meta-a", b"\x00celery-compressed\x00" + kind + b"\x00" + data)
        with pytest.raises(ProtocolError, match="compressed"):
            backend.fetch(["a"])


def test_a_bomb_is_not_unpacked(make, server, prefix):
    backend = make(accept_expanded_bytes=1_000_000)
    bomb = zlib.compress(b"x" * 2_000_000)
    server.set(f"{prefix}celery-task-meta-a", b"\x00celery-compressed\x00application/x-gzip\x00" + bomb)
    with pytest.raises(ProtocolError, match="more than 1000000 bytes"):
        backend.fetch(["a"])


@pytest.mark.covers("settings.result_accept_content")
def test_content_that_is_not_accepted_is_not_decoded(make, backend):
    backend.store([result("a")])
    with pytest.raises(SecurityError):
        make(result_accept_content=[]).fetch(["a"])


# --- waiting ----------------------------------------------------------------------------------------------------------


def test_many_results_are_stored_in_one_round_trip(backend, monkeypatch):
    backend.store([result("first")])
    round_trips = []
    exchange = Link._exchange
    monkeypatch.setattr(Link, "_exchange", lambda link, commands: round_trips.append(1) or exchange(link, commands))
    backend.store([result(f"many-{number}") for number in range(1200)])
    assert len(round_trips) == 1
    assert len(backend.fetch([f"many-{number}" for number in range(1200)])) == 1200


def test_a_store_whose_scripts_are_flushed_goes_on(backend, server):
    for number in range(3):
        server.script_flush()
        backend.store([result(f"flushed-{number}")])
        server.script_flush()
        assert backend.acquire_lock("flushed", "owner", 60)
    assert len(backend.fetch([f"flushed-{number}" for number in range(3)])) == 3


def test_a_result_is_stored_although_its_first_answers_are_lost(app, proxy, url, server, prefix):
    # Given a store whose answers are lost three times
    app.conf.update(
        result_backend=f"redis://127.0.0.1:{proxy.port}/{url.rsplit('/', 1)[1]}",
        result_backend_always_retry=True,
        result_backend_max_retries=5,
        result_backend_base_sleep_between_retries_ms=1,
    )
    app.results.store_state("before", "SUCCESS", 0)
    proxy.lose_answers(3)
    # When a result is stored, and read
    app.results.store_state("again", "SUCCESS", 1)
    assert proxy.lost == 3
    proxy.lose_answers(2)
    assert app.AsyncResult("again").result == 1
    # Then each is tried until it is done
    assert proxy.lost == 5
    assert json.loads(server.get(f"{prefix}celery-task-meta-again"))["result"] == 1


def test_the_members_of_a_group_are_found_by_its_id_until_it_is_deleted(app, server, prefix):
    saved = app.GroupResult("a-group", [app.AsyncResult("a"), app.AsyncResult("b")])
    saved.save()
    assert server.exists(f"{prefix}celery-taskset-meta-a-group")
    assert [each.id for each in app.GroupResult.restore("a-group")] == ["a", "b"]
    saved.delete()
    assert app.GroupResult.restore("a-group") is None
    assert not server.exists(f"{prefix}celery-taskset-meta-a-group")


def test_ten_thousand_results_cost_one_connection(backend, make, server):
    ids = [f"task-{number}" for number in range(10_000)]
    before = server.info("clients")["connected_clients"]
    with closing(backend.watch()) as watcher:
        watcher.add(ids)
        assert watcher.wait(0) == []
        mine = [each for each in server.client_list() if int(each["sub"]) >= 10_000]
        assert len(mine) == 1
        writer = make()
        for start in range(0, len(ids), 500):
            writer.store([result(task_id) for task_id in ids[start : start + 500]])
        found: set[str] = set()
        deadline = time.monotonic() + 30
        while len(found) < len(ids):
            assert time.monotonic() < deadline
            found.update(meta["task_id"] for meta in watcher.wait(5))
    assert found == set(ids)
    assert before >= 1


def test_a_watcher_is_woken_from_another_thread(backend):
    with closing(backend.watch()) as watcher:
        watcher.add(["a"])
        assert watcher.wait(0) == []
        timer = threading.Timer(0.05, watcher.wake)
        timer.start()
        begun = time.monotonic()
        assert watcher.wait(30) == []
        assert time.monotonic() - begun < 10
        timer.join()
        watcher.wake()
        watcher.wake()
        assert watcher.wait(30) == []
        assert watcher.wait(0.01) == []
    watcher.wake()


def test_a_watcher_forgets_what_it_is_told_to(backend, make):
    with closing(backend.watch()) as watcher:
        watcher.add(["a", "b"])
        assert watcher.wait(0) == []
        watcher.discard(["a", "never"])
        make().store([result("a"), result("b")])
        assert [meta["task_id"] for meta in watcher.wait(5)] == ["b"]
        watcher.add(["a"])
        assert [meta["task_id"] for meta in watcher.wait(5)] == ["a"]
        watcher.discard(["a", "b"])
        assert watcher.wait(0.01) == []


def test_what_was_stored_while_a_watcher_was_cut_off_is_reported(proxy, url, make):
    through = make(f"redis://127.0.0.1:{proxy.port}/{url.rsplit('/', 1)[1]}")
    with closing(through.watch()) as watcher:
        watcher.add(["a", "b"])
        assert watcher.wait(0) == []
        proxy.cut()
        make().store([result("a")])
        with pytest.raises(StoreUnavailable):
            watcher.wait(5)
        assert [meta["task_id"] for meta in watcher.wait(5)] == ["a"]
        make().store([result("b")])
        assert [meta["task_id"] for meta in watcher.wait(5)] == ["b"]


def test_a_closed_watcher_says_so(backend):
    watcher = backend.watch()
    watcher.close()
    watcher.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        watcher.wait(0)


# --- servers, threads, forks ------------------------------------------------------------------------------------------


def test_a_server_that_is_away_is_named_and_found_again(own_server, make):
    server = own_server()
    backend = make(server.url)
    backend.store([result("a")])
    server.stop()
    for operation in (
        lambda: backend.store([result("b")]),
        lambda: backend.fetch(["a"]),
        lambda: backend.delete(["a"]),
        lambda: backend.store_group("g", {}),
    ):
        with pytest.raises(StoreUnavailable, match=rf"Redis at 127\.0\.0\.1:{server.port}, database 0"):
            operation()
    watcher = backend.watch()
    watcher.add(["b"])
    with pytest.raises(StoreUnavailable):
        watcher.wait(0)
    server.start()
    backend.store([result("b")])
    assert len(watcher.wait(5)) == 1
    watcher.close()


def test_the_url_is_shown_without_its_password(make):
    backend = make("redis://user:secret@localhost:1/0")
    assert backend.as_uri() == "redis://user:**@localhost:1/0"
    assert backend.as_uri(include_password=True) == "redis://user:secret@localhost:1/0"
    with pytest.raises(StoreUnavailable) as caught:
        backend.fetch(["a"])
    assert "secret" not in str(caught.value)


def test_the_second_server_of_a_list_is_used_when_the_first_is_away(own_server, make):
    server = own_server()
    make(f"redis://127.0.0.1:1/0;{server.url}").store([result("a")])
    with Redis.from_url(server.url) as client:
        assert len(client.keys("*celery-task-meta-a")) == 1


def test_a_unix_socket_serves_results(own_server, make):
    server = own_server()
    backend = make(f"redis+socket://{server.socket_path}?virtual_host=2")
    backend.store([result("a")])
    with closing(backend.watch()) as watcher:
        watcher.add(["a"])
        assert len(watcher.wait(5)) == 1
    with Redis(unix_socket_path=str(server.socket_path), db=2) as client:
        assert client.dbsize() == 1


def test_eight_threads_share_a_store(backend):
    errors = []

    def use(number):
        try:
            for turn in range(50):
                backend.store([result(f"{number}-{turn}", value=turn)])
                assert backend.fetch([f"{number}-{turn}"])[f"{number}-{turn}"]["result"] == turn
        except BaseException as error:  # noqa: BLE001  # told in the main thread
            errors.append(error)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert errors == []


def test_a_store_works_on_after_a_fork(backend):
    backend.store([result("parent")])
    watcher = backend.watch()
    watcher.add(["child"])
    assert watcher.wait(0) == []
    pid = os.fork()
    if not pid:
        code = 1
        try:
            backend.after_fork()
            assert set(backend.fetch(["parent"])) == {"parent"}
            backend.store([result("child")])
            watcher.close()
            code = 0
        except BaseException:  # noqa: BLE001  # a child of a test must not go on as pytest
            traceback.print_exc()
        os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert [meta["task_id"] for meta in watcher.wait(5)] == ["child"]
    assert set(backend.fetch(["parent", "child"])) == {"parent", "child"}
    watcher.close()
