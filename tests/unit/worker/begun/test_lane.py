"""A host that remembers what its broker forgets."""

from __future__ import annotations

import os
import resource
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from celeriac.contracts import LaneCapabilities, Settlements
from celeriac.worker.begun.lane import JournaledLane, journaled


@pytest.fixture
def begin(broker):
    """Return ``begin(lane, *deliveries)``: they are claimed, and their tasks are about to run."""

    def begin(lane, *deliveries):
        broker.ready.extend(deliveries)
        assert lane.claim(100) == [*deliveries]
        lane.settle(Settlements(begin=[each.tag for each in deliveries]))

    return begin


def files(directory):
    return sorted(os.listdir(directory))


def ids(deliveries):
    return [each.headers["id"] for each in deliveries]


@contextmanager
def no_room(size):
    """No file of this process may be larger."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


# -- what died with another worker -------------------------------------------------------------------------------------


def test_what_a_killed_worker_had_begun_is_handed_out_once_and_its_file_goes_when_it_is_reported(
    lane, broker, message, die, directory
):
    dead = message(1, b'[[1], {}, {"chord": null}]', stamps={})
    die(dead, message(2), message(3), ended=[2])
    lost = lane.lost()
    assert ids(lost) == ["id-1", "id-3"]
    assert lost[0] == dead._replace(tag=lost[0].tag)
    assert lane.lost() == []
    assert len(files(directory)) == 2
    lane.settle(Settlements(ack=[each.tag for each in lost]))
    assert len(files(directory)) == 1
    # The broker knows nothing of them
    assert [each.ack for each in broker.told] == [[]]


def test_what_had_ended_while_the_broker_was_away_is_not_handed_out(lane, message, die):
    die(message(1), message(2), ended=[2], away=True)
    assert ids(lane.lost()) == ["id-1"]


def test_what_has_ended_while_the_broker_was_away_is_told_to_it_later(lane, broker, begin, message):
    begin(lane, message(1))
    lane.ended([1, "unknown"])
    lane.ended([1])
    lane.settle(Settlements(ack=[1]))
    assert broker.told[-1].ack == [1]


def test_nothing_of_a_worker_that_lives_is_handed_out(lane, message, die):
    worker = die(message(1), alive=True)
    assert lane.lost() == []
    worker.kill()
    worker.wait(10)
    assert ids(lane.lost()) == ["id-1"]


def test_a_process_that_was_forked_does_not_keep_a_dead_worker_alive(lane, message, directory, tmp_path):
    import subprocess
    import sys

    # Given a worker whose child lives on after it
    script = f"""
import os, sys, time
from types import SimpleNamespace
from celeriac.worker.begun.lane import journaled
from celeriac.contracts import ConsumerLane, Delivery, Settlements
class Lane(ConsumerLane):
    def open(self, *_): pass
    def close(self): pass
    def claim(self, limit):
        return [Delivery(1, "celery", {{"id": "id-1"}}, {{}}, b"", "", "", "", "", False, 0)]
    def settle(self, batch): pass
lane = journaled(Lane(), "one", [], {str(directory)!r}, "dead@host")
lane.claim(1)
lane.settle(Settlements(begin=[1]))
if os.fork():
    os._exit(0)
print("forked", flush=True)
sys.stdin.read()
"""
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as worker:
        assert worker.wait(10) == 0
        assert worker.stdout.readline() == b"forked\n"
        # Then what that one had begun is lost
        assert ids(lane.lost()) == ["id-1"]
        worker.stdin.close()


def test_of_two_that_look_one_gets_it_and_the_other_when_that_dies_before_it_reports(
    make_lane, broker, message, die, directory
):
    one, two = make_lane(broker, "celery"), make_lane(broker, "celery")
    die(message(1), message(2))
    lost = one.lost()
    assert ids(lost) == ["id-1", "id-2"]
    assert two.lost() == []
    one.settle(Settlements(ack=[lost[0].tag], redeliver=[lost[1].tag]))
    assert broker.told == [Settlements()]
    one.close()
    assert ids(two.lost()) == ["id-2"]


def test_messages_of_other_queues_and_brokers_are_left_to_whoever_has_those(make_lane, broker, message, die, directory):
    lane, other = make_lane(broker, "celery"), make_lane(broker, "other")
    elsewhere = make_lane(broker, "celery", "other", address="two")
    die(message(1), message(2, queue="other"))
    assert elsewhere.lost() == []
    lost = lane.lost()
    assert ids(lost) == ["id-1"]
    lane.settle(Settlements(ack=[lost[0].tag]))
    assert lane.lost() == []
    assert ids(other.lost()) == ["id-2"]
    # And to oneself, once one has that queue as well
    other.close()
    lane.add_queue(SimpleNamespace(name="other"))
    assert ids(lane.lost()) == ["id-2"]


def test_one_of_which_the_broker_may_not_have_been_told_is_waited_for_and_dropped_when_it_comes(
    lane, broker, message, die, directory, caplog
):
    die(message(1), message("last"))
    first = lane.lost()
    assert ids(first) == ["id-1"]
    broker.ready.append(message(7)._replace(headers={"id": "id-last", "task": "proj.work"}, redelivered=True))
    lane.claim(10)
    lane.settle(Settlements(ack=[first[0].tag]))
    assert lane.lost() == []
    assert len(files(directory)) == 1


@pytest.mark.parametrize("hostile", [["a"], {}, None, 7])
def test_an_id_that_is_none_does_no_harm_to_the_loop(lane, broker, message, die, hostile):
    die(message(1), message("last", id=hostile))
    lost = lane.lost()
    assert ids(lost) == ["id-1", hostile]
    die(message("last"))
    assert lane.lost() == []
    broker.ready.append(message(7, id=hostile))
    assert len(lane.claim(10)) == 1


def test_one_of_which_the_broker_was_told_as_its_worker_died_does_not_come_and_is_lost(lane, broker, message, die):
    die(message("last"))
    assert lane.lost() == []
    broker.ready.append(message(7))
    lane.claim(10)
    assert ids(lane.lost()) == ["id-last"]


# -- what lives --------------------------------------------------------------------------------------------------------


def test_a_lane_that_ends_leaves_nothing_but_what_nobody_was_told_of(make_lane, broker, begin, message, directory):
    lane = make_lane(broker, "celery")
    begin(lane, message(1), message(2))
    lane.settle(Settlements(ack=[1]))
    lane.close()
    assert not broker.is_open
    lane.close()
    other = make_lane(broker, "celery")
    lost = other.lost()
    assert ids(lost) == ["id-2"]
    other.settle(Settlements(ack=[lost[0].tag]))
    other.close()
    assert files(directory) == []


def test_what_is_given_back_and_what_the_broker_refused_to_hear_of_is_not_lost(make_lane, broker, begin, message):
    lane = make_lane(broker, "celery")
    begin(lane, message(1), message(2))
    lane.settle(Settlements(requeue=[1], redeliver=[2]))
    broker.failure = ConnectionError("gone")
    with pytest.raises(ConnectionError):
        begin(lane, message(3))
    broker.failure = None
    lane.close()
    assert make_lane(broker, "celery").lost() == []


def test_one_that_was_to_be_given_back_is_doubtful(make_lane, broker, begin, message):
    lane = make_lane(broker, "celery")
    begin(lane, message(1))
    broker.failure = ConnectionError("gone before it has answered")
    with pytest.raises(ConnectionError):
        lane.settle(Settlements(requeue=[1]))
    lane.close()
    other = make_lane(broker, "celery")
    assert other.lost() == []
    assert ids(other.lost()) == ["id-1"]


def test_one_that_begins_again_after_it_was_taken_back_from_the_pool_is_noted_once(make_lane, broker, begin, message):
    lane = make_lane(broker, "celery")
    begin(lane, message(1))
    lane.settle(Settlements(begin=[1]))
    lane.settle(Settlements(ack=[1]))
    lane.close()
    assert make_lane(broker, "celery").lost() == []


def test_void_claims_are_forgotten_and_those_that_run_are_not(lane, broker, message):
    lane.on_void = lambda tags: [2]
    broker.ready.extend([message(1), message(2)])
    lane.claim(2)
    assert set(broker.on_void([1, 2])) == {2}
    assert list(lane._held) == [2]
    lane.settle(Settlements(ack=[2]))
    assert lane._held == {}


def test_what_the_lane_can_do_is_what_it_could_and_a_trace(lane, broker, make_lane):
    assert lane.capabilities == LaneCapabilities.GIVE_BACK | LaneCapabilities.BEGIN_TRACE
    broker.capabilities = LaneCapabilities.BEGIN_TRACE
    assert make_lane(broker, "celery") is broker


# -- what goes wrong ---------------------------------------------------------------------------------------------------


def test_a_full_disk_is_told_of_once_and_the_trace_is_gone_until_there_is_room(
    lane, broker, begin, message, caplog, directory
):
    with no_room(200 * 1024):
        for number in range(20):
            begin(lane, message(number, argsrepr="x" * 30_000))
    assert LaneCapabilities.BEGIN_TRACE not in lane.capabilities
    assert caplog.text.count("worker_journal_directory") == 1
    assert "File too large" in caplog.text
    lane.settle(Settlements(ack=list(range(20))))
    lane.lost()
    assert LaneCapabilities.BEGIN_TRACE in lane.capabilities
    begin(lane, message(30, argsrepr="x" * 300_000))
    lane.close()
    assert len(files(directory)) == 1


def refused(path):
    path.mkdir(mode=0o755)
    path.chmod(0o755)
    return "others may enter"


def linked(path):
    (path.parent / "elsewhere").mkdir(mode=0o700)
    path.symlink_to(path.parent / "elsewhere")
    return "symbolic link"


def taken(path):
    path.write_text("")
    return "File exists"


def below_a_file(path):
    path.parent.rmdir()
    path.parent.write_text("")
    return "Not a directory"


def owned_by_another(path):
    if os.geteuid() != 0:
        pytest.skip("only root can give a directory away")
    path.mkdir(mode=0o700)
    os.chown(path, 12345, 12345)
    return "belongs to user 12345"


@pytest.mark.parametrize("spoil", [refused, linked, taken, below_a_file, owned_by_another])
def test_a_directory_that_cannot_be_used_is_told_of_with_the_remedy_and_done_without(
    broker, make_lane, tmp_path, caplog, spoil
):
    place = tmp_path / "above" / "journal"
    place.parent.mkdir()
    reason = spoil(place)
    assert make_lane(broker, "celery", where=place) is broker
    assert reason in caplog.text
    assert "worker_journal_directory" in caplog.text


def test_a_user_without_a_home_is_told_so(broker, monkeypatch, caplog):
    monkeypatch.delenv("CELERIAC_HOME")
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)

    def nobody():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr("pathlib.Path.home", nobody)
    assert journaled(broker, "one", [], None, "w@host") is broker
    assert "has no home directory" in caplog.text


def test_a_disk_without_room_at_the_start_is_told_of_and_leaves_no_file(broker, make_lane, caplog, directory):
    with no_room(1000):
        assert make_lane(broker, "celery") is broker
    assert "File too large" in caplog.text
    assert files(directory) == []


def test_an_empty_setting_is_none_without_a_word(broker, caplog):
    assert journaled(broker, "one", [], "", "w@host") is broker
    assert caplog.text == ""


def test_directory_and_file_are_for_one_user_alone(lane, directory):
    (name,) = files(directory)
    assert directory.stat().st_mode & 0o777 == 0o700
    assert (directory / name).stat().st_mode & 0o777 == 0o600


def test_the_name_of_a_file_says_nothing_of_credentials(make_lane, broker, directory):
    assert isinstance(make_lane(broker, "celery", address="amqp secret:5672/"), JournaledLane)
    assert "secret" not in "".join(files(directory))


# -- what is no journal ------------------------------------------------------------------------------------------------


def a_dead_file(directory, die, message):
    die(message(1), message(2))
    return directory / files(directory)[-1 if len(files(directory)) == 1 else 0]


@pytest.mark.parametrize("content", [b"", b"hostile", b"celeriac begun 1", b"celeriac begun 1" + b"\xff" * 5000])
def test_what_is_no_journal_is_told_of_once_and_set_aside(lane, directory, caplog, content):
    (own,) = files(directory)
    bad = directory / f"{own[:16]}-1-00.journal"
    bad.write_bytes(content)
    bad.chmod(0o600)
    assert lane.lost() == []
    assert lane.lost() == []
    assert caplog.text.count("is set aside") == 1
    assert (directory / f"{own[:16]}-1-00.unreadable").exists()


def test_of_a_damaged_one_what_can_be_read_is_reported(make_lane, broker, message, die, directory, caplog):
    die(message(1))
    (name,) = files(directory)
    with open(directory / name, "r+b") as file:
        file.seek(512 + 4096)
        file.write(b"\xff\xff")
    lane = make_lane(broker, "celery")
    lost = lane.lost()
    assert ids(lost) == ["id-1"]
    lane.settle(Settlements(ack=[lost[0].tag]))
    assert "no region can begin" in caplog.text
    assert [name.rpartition(".")[2] for name in files(directory)].count("unreadable") == 1
    assert lane.lost() == []


@pytest.mark.parametrize(("node", "found"), [("elsewhere", []), (os.uname().nodename, ["id-1"])])
def test_one_of_another_machine_is_left_alone_and_one_from_before_a_restart_is_not(
    lane, directory, die, message, node, found
):
    (own,) = files(directory)
    die(message(1))
    (dead,) = set(files(directory)) - {own}
    with open(directory / dead, "r+b") as file:
        file.seek(16)
        file.write(f"another-boot\0{node}\0dead@host".encode().ljust(496, b"\0"))
    assert ids(lane.lost()) == found
    assert dead in files(directory)


def test_links_pipes_and_files_of_others_are_left_alone(lane, directory, caplog, tmp_path):
    (own,) = files(directory)
    (tmp_path / "target").write_bytes(b"x")
    bad = {kind: directory / f"{own[:16]}-{kind}.journal" for kind in ("link", "twice", "pipe", "open")}
    bad["link"].symlink_to(tmp_path / "target")
    bad["twice"].write_bytes(b"x")
    bad["twice"].chmod(0o600)
    os.link(bad["twice"], tmp_path / "again")
    os.mkfifo(bad["pipe"], 0o600)
    bad["open"].write_bytes(b"x")
    bad["open"].chmod(0o644)
    assert lane.lost() == []
    assert caplog.text.count("is left alone") == 4
    assert lane.lost() == []
    assert caplog.text.count("is left alone") == 4
    assert (tmp_path / "target").read_bytes() == b"x"


def test_a_directory_that_is_taken_away_while_the_worker_lives_is_an_error_in_the_log(lane, directory, caplog, broker):
    for name in files(directory):
        (directory / name).unlink()
    directory.rmdir()
    assert lane.lost() == []
    lane.close()
    assert not broker.is_open
