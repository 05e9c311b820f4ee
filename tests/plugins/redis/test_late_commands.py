"""Commands that the server carries out only after their connection was cut and the client has gone on without them."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from kombu import Queue
from kombu.exceptions import OperationalError

from celeriac.contracts import Settlements
from celeriac_redis import abandoned, claims
from celeriac_redis.broker import RedisTransport
from celeriac_redis.scripts import in_full


def tags(deliveries):
    return [delivery.tag for delivery in deliveries]


@pytest.fixture
def through(connect, proxy, url, loop):
    """A lane on the queue tasks whose connections go through the proxy."""
    way = f"redis://127.0.0.1:{proxy.port}/{url.rsplit('/', 1)[1]}"
    lane = RedisTransport.consumer_lane(connect(way, lease=1))
    lane.open([Queue("tasks")], loop.hub, loop.on_ready)
    yield lane
    lane.close()


@pytest.fixture
def late(proxy, server, wait_until):
    """Return ``late(script, call)``: what is called fails, because that script's command is withheld."""

    def call_late(script, call):
        server.script_load(in_full(script([]))[1])  # what comes late is not to fail for want of it
        proxy.withhold(script.sha.encode())
        with pytest.raises(OperationalError):
            call()
        wait_until(lambda: proxy.withholds, message="the command is withheld")

    return call_late


@pytest.fixture
def begun(server, prefix):
    """Return ``begun(lane)``: the numbers that the server knows as begun by it."""
    return lambda lane: {int(each) for each in server.smembers(lane._claims.begun_key)}


@pytest.fixture
def die(connect, loop, server, prefix):
    """Return ``die(begin)``: a worker claims all, begins so many, and is neither connected nor heard of any more."""

    def claim_and_die(begin):
        lane = RedisTransport.consumer_lane(connect())
        lane.open([Queue("tasks")], loop.hub, loop.on_ready)
        found = lane.claim(100)
        lane.settle(Settlements(begin=tags(found[:begin])))
        owner = lane._claims.owner
        lane._watch.stop()
        for link in (lane._link, lane._bell_link, lane._keeper_link):
            link.close()
        long_ago = time.time() - 100
        server.zadd(f"{prefix}celeriac.owners", {owner: long_ago})
        for tag in server.zrange(f"{prefix}unacked_index", 0, -1):
            server.zadd(f"{prefix}unacked_index", {tag: long_ago})
        return owner

    return claim_and_die


def nothing_is_left(server, prefix):
    kept = {key.decode().removeprefix(prefix) for key in server.scan_iter(f"{prefix}*")}
    return not {key for key in kept if key not in {"celeriac.owners"} and not key.startswith("_kombu")}


def test_a_claim_that_is_made_late_is_handed_out_once(producer, through, message, proxy, late, bodies, server, prefix):
    producer.publish([message(str(n)) for n in range(3)])
    late(claims._claim, lambda: through.claim(2))
    first = through.claim(1)
    proxy.deliver()
    through.renew()
    rest = [*through.claim(5), *through.claim(5)]
    through.renew()
    assert bodies([*first, *rest]) == ["0", "1", "2"]
    assert through.claim(5) == []
    through.settle(Settlements(ack=tags([*first, *rest])))
    assert nothing_is_left(server, prefix)


@pytest.mark.parametrize("kind", ["begin", "ack", "requeue", "redeliver"])
def test_settling_late_changes_nothing_that_was_settled_since(
    producer, through, message, proxy, late, bodies, server, prefix, begun, kind
):
    # Given a settlement that is repeated, because its connection was cut
    producer.publish([message("1")])
    found = through.claim(1)
    batch = Settlements(**{kind: tags(found)})
    script = claims._give_back if kind in {"requeue", "redeliver"} else claims._settle
    late(script, lambda: through.settle(batch))
    through.settle(batch)
    # When its first form is read after what has become of the message
    if kind in {"requeue", "redeliver"}:
        found = through.claim(1)
        assert bodies(found) == ["1"]
        proxy.deliver()
        assert (server.llen(f"{prefix}tasks"), server.hlen(f"{prefix}unacked")) == (0, 1)
        through.settle(Settlements(ack=tags(found)))
    else:
        through.settle(Settlements(ack=tags(found)))
        proxy.deliver()
    # Then it finds nothing
    assert begun(through) == set()
    assert nothing_is_left(server, prefix)


def test_beginning_late_what_was_given_back_leaves_it_to_whoever_has_it(
    producer, through, consume, message, proxy, late, bodies, server, prefix, begun
):
    producer.publish([message("1")])
    found = through.claim(1)
    late(claims._settle, lambda: through.settle(Settlements(begin=tags(found))))
    through.settle(Settlements(requeue=tags(found)))
    other = consume()
    again = other.claim(1)
    assert bodies(again) == ["1"]
    proxy.deliver()
    assert begun(through) == set()
    other.settle(Settlements(ack=tags(again)))
    assert nothing_is_left(server, prefix)


def test_what_is_put_away_late_is_handed_out_once_when_it_is_due(
    producer, through, message, proxy, late, bodies, server, prefix, wait_until
):
    # Given a message that is put away, which the server does not hear, and that has come due by the next claim
    due = datetime.now(UTC) + timedelta(seconds=1)
    producer.publish([message("1", headers={"id": "1", "eta": due.isoformat()})])
    late(claims._defer, lambda: through.claim(1))
    wait_until(lambda: datetime.now(UTC) > due, message="it is due")
    found = through.claim(1)
    # When the server hears it after that
    proxy.deliver()
    # Then the message comes once, whoever was first
    wait_until(lambda: found.extend(through.claim(1)) or found, message="it is handed out")
    found += through.claim(1)
    assert bodies(found) == ["1"]
    assert (server.llen(f"{prefix}tasks"), server.hlen(f"{prefix}unacked"), server.zcard(f"{prefix}celeriac.eta")) == (
        0,
        1,
        0,
    )
    through.settle(Settlements(ack=tags(found)))
    assert nothing_is_left(server, prefix)


def test_what_is_inherited_late_is_told_once(producer, through, message, proxy, late, bodies, die, server, prefix):
    # Given an inheritance that the server makes only after it was asked what had been inherited
    producer.publish([message(str(n)) for n in range(2)])
    die(begin=2)
    late(abandoned._inherit, through.lost)
    assert through._abandoned._unheard_of() == []
    proxy.deliver()
    # Then it is told, once
    lost = through.lost()
    assert sorted(bodies(lost)) == ["0", "1"]
    assert through.lost() == []
    through.settle(Settlements(ack=tags(lost)))
    assert nothing_is_left(server, prefix)


def test_what_a_worker_has_begun_without_knowing_is_not_told_as_inherited(
    producer, through, message, proxy, late, bodies, die, server, prefix, begun
):
    producer.publish([message("0")])
    die(begin=1)
    producer.publish([message("own")])
    own = through.claim(1)
    proxy.lose_answers(1)
    with pytest.raises(OperationalError):
        through.settle(Settlements(begin=tags(own)))
    assert begun(through) == set(tags(own))
    late(abandoned._inherit, through.lost)
    lost = through.lost()
    proxy.deliver()
    lost += through.lost()
    assert bodies(lost) == ["0"]
    through.settle(Settlements(begin=tags(own), ack=tags([*own, *lost])))  # as the worker does it: all is said again
    assert nothing_is_left(server, prefix)


def test_an_heir_that_asks_again_before_its_command_is_read_is_told_once(
    producer, through, message, proxy, late, bodies, die, server, prefix
):
    producer.publish([message(str(n)) for n in range(2)])
    die(begin=2)
    late(abandoned._inherit, through.lost)
    lost = through.lost()
    proxy.deliver()
    lost += through.lost()
    assert sorted(bodies(lost)) == ["0", "1"]
    through.settle(Settlements(ack=tags(lost)))
    assert nothing_is_left(server, prefix)


def test_an_heir_that_has_gone_inherits_nothing(producer, through, consume, message, proxy, late, bodies, die):
    producer.publish([message("1")])
    die(begin=1)
    late(abandoned._inherit, through.lost)
    through.close()
    proxy.deliver()
    assert bodies(consume(lease=1).lost()) == ["1"]


def test_an_heir_that_goes_without_knowing_what_it_has_inherited_leaves_it_to_others(
    producer, through, consume, message, proxy, bodies, die
):
    producer.publish([message("1")])
    die(begin=1)
    proxy.to_lose_after = abandoned._inherit.sha.encode()
    with pytest.raises(OperationalError):
        through.lost()
    through.close()
    assert bodies(consume(lease=1).lost()) == ["1"]


def test_nothing_is_inherited_late_from_an_owner_that_was_heard_of_again(
    producer, through, message, proxy, late, die, server, prefix, begun
):
    producer.publish([message("1")])
    owner = die(begin=1)
    late(abandoned._inherit, through.lost)
    server.zadd(f"{prefix}celeriac.owners", {owner: time.time() + 100})
    proxy.deliver()
    assert through.lost() == []
    assert begun(through) == set()
    assert server.scard(f"{prefix}celeriac.begun.{owner}") == 1


def test_an_owner_that_was_heard_of_again_is_not_forgotten_late(
    producer, through, message, proxy, late, die, server, prefix
):
    owner = die(begin=0)
    late(abandoned._forget, through.lost)
    server.zadd(f"{prefix}celeriac.owners", {owner: time.time() + 100})
    proxy.deliver()
    assert server.zscore(f"{prefix}celeriac.owners", owner) is not None


def test_what_is_given_back_late_is_in_its_queue_once(
    producer, through, message, proxy, late, bodies, die, server, prefix
):
    producer.publish([message(str(n)) for n in range(3)])
    die(begin=0)
    late(abandoned._restore, through.lost)
    assert through.lost() == []
    found = through.claim(5)
    proxy.deliver()
    assert sorted(bodies(found)) == ["0", "1", "2"]
    assert (server.llen(f"{prefix}tasks"), server.hlen(f"{prefix}unacked")) == (0, 3)
    through.settle(Settlements(ack=tags(found)))
    assert nothing_is_left(server, prefix)


def test_what_was_begun_meanwhile_is_not_given_back(producer, through, consume, message, proxy, late, server, prefix):
    # Given a worker that is taken for dead, and lives
    producer.publish([message("1")])
    other = consume()
    found = other.claim(1)
    tag = other._claims.tag(found[0].tag)
    other._link.close()
    owners, index = f"{prefix}celeriac.owners", f"{prefix}unacked_index"
    for key, member in ((owners, other._claims.owner), (index, tag)):
        server.zadd(key, {member: time.time() - 100})
    late(abandoned._restore, through.lost)
    # When it begins the task before its claim is given back
    other.settle(Settlements(begin=tags(found)))
    proxy.deliver()
    # Then nobody else gets it
    assert (server.llen(f"{prefix}tasks"), server.hlen(f"{prefix}unacked")) == (0, 1)
    other.settle(Settlements(ack=tags(found)))
