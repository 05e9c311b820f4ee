"""What a broker must do, through its lanes or, for a plain Kombu transport, through the kernel's."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING
from uuid import uuid4

from celeriac.contracts.broker import Settlements
from celeriac.testing.conformance.broker_harness import BrokerHarness, number_of
from celeriac.testing.conformance.claims import needs
from celeriac.testing.conformance.connections import ConnectionChecks
from celeriac.testing.conformance.demands import demand
from celeriac.testing.conformance.routing import RoutingChecks
from celeriac.testing.conformance.sharing import SharingChecks
from celeriac.testing.conformance.suite import Level, Suite, level

if TYPE_CHECKING:
    from celeriac.contracts.broker import Delivery, OutgoingMessage


class BrokerSuite(ConnectionChecks, SharingChecks, RoutingChecks, Suite, ABC):
    """Subclass it and give `make_harness`."""

    @abstractmethod
    def make_harness(self) -> BrokerHarness:
        """The harness for one test."""

    @property
    def harness(self) -> BrokerHarness:
        """The harness of this test."""
        made: BrokerHarness = super().harness
        return made

    def _publish(self, *messages: OutgoingMessage) -> None:
        self.harness.producer().publish(messages)

    def _numbered(self, count: int) -> list[OutgoingMessage]:
        return [self.harness.message(number) for number in range(count)]

    # --- publish and claim --------------------------------------------------------------------------------------------

    def test_a_message_arrives_whole(self) -> None:
        body = bytes(range(256))
        message = self.harness.message(7, body=body)
        message.properties["reply_to"] = "somebody"
        lane = self.harness.consumer()
        self._publish(message)
        (found,) = self.harness.claim(lane, 1)
        demand(found.body == body, f"the body arrived as {found.body!r}")
        demand(found.headers == message.headers, f"the headers {message.headers!r} arrived as {found.headers!r}")
        for name in ("correlation_id", "reply_to"):
            sent, arrived = message.properties[name], found.properties.get(name)
            demand(sent == arrived, f"the property {name} was {sent!r} and arrived as {arrived!r}")
        demand(found.content_type == message.content_type, f"the content type arrived as {found.content_type!r}")
        demand(found.content_encoding == message.content_encoding, f"the encoding arrived as {found.content_encoding}")
        demand(found.queue == self.harness.queue.name, f"the queue's name arrived as {found.queue!r}")
        demand(not found.redelivered, "a first delivery says that it is another")

    def test_an_empty_body_and_all_of_unicode_arrive(self) -> None:
        message = self.harness.message(1)
        message.body = b""
        text = "\N{SNOWMAN}\N{LATIN SMALL LETTER SHARP S}\N{PILE OF POO} \t"
        nested = {"list": [1, "a", None], "map": {"true": True, "none": None, "float": 1.5}, "large": 2**40}
        message.headers.update(argsrepr=text, nested=nested)
        lane = self.harness.consumer()
        self._publish(message)
        (found,) = self.harness.claim(lane, 1)
        demand(found.body == b"", f"an empty body arrived as {found.body!r}")
        demand(found.headers["argsrepr"] == text, f"a header {text!r} arrived as {found.headers['argsrepr']!r}")
        demand(found.headers["nested"] == nested, f"a header {nested!r} arrived as {found.headers['nested']!r}")

    def test_an_empty_queue_gives_nothing(self) -> None:
        found = self.harness.claim_nothing(self.harness.consumer())
        demand(not found, f"an empty queue gave {len(found)} messages")

    def test_messages_that_are_there_already_are_claimed(self) -> None:
        self._publish(*self._numbered(3))
        self.harness.claim(self.harness.consumer(), 3)

    def test_arrival_is_announced(self) -> None:
        lane = self.harness.consumer()
        self.harness.claim_nothing(lane)
        before = self.harness.rings
        self._publish(self.harness.message())
        self.harness.loop.until(lambda: self.harness.rings > before, "on_ready is called for a message that arrived")
        self.harness.claim(lane, 1)

    def test_messages_come_in_order(self) -> None:
        self._publish(*self._numbered(50))
        found = [number_of(delivery) for delivery in self.harness.claim(self.harness.consumer(), 50, limit=7)]
        demand(found == list(range(50)), f"published 0 to 49, claimed {found}")

    def test_a_backlog_drains_without_loss_or_double(self) -> None:
        count = 300
        self._publish(*self._numbered(count))
        lane = self.harness.consumer()
        found: list[int] = []
        while len(found) < count:
            claimed = self.harness.claim(lane, 1) + lane.claim(99)
            lane.settle(Settlements(ack=[delivery.tag for delivery in claimed]))
            found.extend(number_of(delivery) for delivery in claimed)
        demand(sorted(found) == list(range(count)), f"published {count}, claimed {len(set(found))} different ones")
        demand(not self.harness.claim_nothing(lane), "after all messages were acked there are more")

    @needs("publishes_once", tried=True)
    def test_of_messages_to_be_published_once_one_is_kept(self) -> None:
        first, other, plain = self._numbered(3)
        first.once = other.once = True
        for message in (first, other):  # a broker remembers them for longer than there is between two runs
            message.properties["correlation_id"] = uuid4().hex
        lane = self.harness.consumer()
        self._publish(first)
        (found,) = self.harness.claim(lane, 1)
        lane.settle(Settlements(ack=[found.tag]))
        # Alone and among others, by another process, and when the first is gone.
        again = self.harness.producer()
        again.publish([first])
        again.publish([plain, first, other, other])
        numbers = sorted(number_of(delivery) for delivery in self.harness.claim(lane, 2))
        demand(numbers == [1, 2], f"of a message that was sent before and two others, {numbers} were claimed")
        demand(not self.harness.claim_nothing(lane), "a message to be published once was kept twice")

    def test_a_claim_keeps_its_limit(self) -> None:
        self._publish(*self._numbered(10))
        lane = self.harness.consumer()
        for limit in (1, 2, 3):
            found: list[Delivery] = []

            def some(limit: int = limit, found: list[Delivery] = found) -> bool:
                found += lane.claim(limit)
                return bool(found)

            self.harness.loop.until(some, "a message can be claimed")
            demand(len(found) <= limit, f"claim({limit}) gave {len(found)}")
        demand(lane.claim(0) == [], "claim(0) gave something")

    def test_what_is_claimed_is_not_claimed_again(self) -> None:
        self._publish(self.harness.message())
        first = self.harness.consumer()
        self.harness.claim(first, 1)
        found = self.harness.claim_nothing(first) + self.harness.claim_nothing(self.harness.consumer())
        demand(not found, "a claimed message was claimed again")

    def test_a_large_message_arrives(self) -> None:
        body = b"x" * 8_000_000
        self._publish(self.harness.message(body=body))
        (found,) = self.harness.claim(self.harness.consumer(), 1)
        demand(found.body == body, f"a body of {len(body)} bytes arrived with {len(found.body)}, or different")

    # --- settle -------------------------------------------------------------------------------------------------------

    def _settled(self, kind: str) -> list[Delivery]:
        """What another lane finds after a message was claimed and settled in that way, and the first one closed."""
        self._publish(self.harness.message(1))
        lane = self.harness.consumer()
        (claimed,) = self.harness.claim(lane, 1)
        lane.settle(Settlements(**{kind: [claimed.tag]}))
        lane.close()
        other = self.harness.consumer()
        return self.harness.claim(other, 1) if kind in {"requeue", "redeliver"} else self.harness.claim_nothing(other)

    def test_an_acked_message_is_gone(self) -> None:
        demand(not self._settled("ack"), "an acked message was delivered again")

    def test_a_rejected_message_is_gone(self) -> None:
        demand(not self._settled("reject"), "a rejected message was delivered again")

    def test_a_requeued_message_comes_back(self) -> None:
        (found,) = self._settled("requeue")
        demand(number_of(found) == 1, f"another message came: {found.headers!r}")

    def test_a_redelivered_message_comes_back(self) -> None:
        (found,) = self._settled("redeliver")
        demand(number_of(found) == 1, f"another message came: {found.headers!r}")
        demand(found.redelivered, "a message that is delivered again says that it is new")

    def test_many_are_settled_at_once(self) -> None:
        self._publish(*self._numbered(30))
        lane = self.harness.consumer()
        tags = {number_of(delivery): delivery.tag for delivery in self.harness.claim(lane, 30)}
        lane.settle(
            Settlements(
                ack=[tags[number] for number in range(10)],
                reject=[tags[number] for number in range(10, 20)],
                requeue=[tags[number] for number in range(20, 30)],
            )
        )
        found = sorted(number_of(delivery) for delivery in self.harness.claim(lane, 10))
        demand(found == list(range(20, 30)), f"20 to 29 were requeued, {found} came back")

    def test_a_turn_settles_and_claims(self) -> None:
        self._publish(*self._numbered(2))
        lane = self.harness.consumer()
        (first,) = self.harness.claim(lane, 1)
        found = lane.turn(Settlements(ack=[first.tag]), 1) or self.harness.claim(lane, 1)
        demand([number_of(delivery) for delivery in found] == [1], f"the second message was to come, found {found!r}")

    def test_unsettled_claims_return_when_the_lane_closes(self) -> None:
        self._publish(*self._numbered(5))
        lane = self.harness.consumer()
        self.harness.claim(lane, 5)
        lane.close()
        found = sorted(number_of(delivery) for delivery in self.harness.claim(self.harness.consumer(), 5))
        demand(found == list(range(5)), f"5 claims were open when the lane closed, {found} came back")

    def test_a_begun_message_never_returns(self) -> None:
        self._publish(self.harness.message())
        lane = self.harness.consumer()
        (claimed,) = self.harness.claim(lane, 1)
        lane.settle(Settlements(begin=[claimed.tag]))
        lane.settle(Settlements(ack=[claimed.tag]))
        lane.close()
        found = self.harness.claim_nothing(self.harness.consumer())
        demand(not found, "a message that was begun was delivered again")

    def test_closing_twice_is_harmless(self) -> None:
        for lane in (self.harness.producer(), self.harness.consumer()):
            lane.close()
            lane.close()

    # --- what a lane may claim ----------------------------------------------------------------------------------------

    @level(Level.RECOMMENDED)
    @needs("PRIORITY", tried=True)
    def test_priorities_are_kept(self) -> None:
        priorities = [0, 3, 9, 3]
        self._publish(*(self.harness.message(number, priority=level) for number, level in enumerate(priorities)))
        found = [number_of(delivery) for delivery in self.harness.claim(self.harness.consumer(), 4)]
        orders = ([2, 1, 3, 0], [0, 1, 3, 2])  # Redis, as Celery uses it, takes the lowest number first
        demand(found in orders, f"published with priorities {priorities}, claimed in the order {found}")

    @level(Level.RECOMMENDED)
    @needs("DELIVERY_COUNT", tried=True)
    def test_deliveries_are_counted(self) -> None:
        lane = self.harness.consumer()
        self._publish(self.harness.message())
        for count in (1, 2, 3):
            (found,) = self.harness.claim(lane, 1)
            demand(found.delivery_count == count, f"delivery {count} says that it is number {found.delivery_count}")
            demand(found.redelivered == (count > 1), f"delivery {count} says redelivered={found.redelivered}")
            lane.settle(Settlements(redeliver=[found.tag]))

    @level(Level.RECOMMENDED)
    @needs("DELIVERY_COUNT", "GIVE_BACK", tried=True)
    def test_what_is_given_back_is_not_counted(self) -> None:
        lane = self.harness.consumer()
        self._publish(*self._numbered(3))
        (first, second) = self.harness.claim(lane, 2)
        lane.settle(Settlements(requeue=[second.tag, first.tag]))
        found = self.harness.claim(lane, 3)
        demand([number_of(one) for one in found] == [0, 1, 2], "what was given back did not get its old place")
        demand({one.delivery_count for one in found} == {1}, "what was given back was counted as a delivery")

    @level(Level.OPTIONAL)
    @needs("NATIVE_DELAY", tried=True)
    def test_a_message_with_an_eta_is_held_back(self) -> None:
        lane = self.harness.consumer()
        due = time.time() + 1.0
        self._publish(self.harness.message(1, eta=due), self.harness.message(2))
        arrived: dict[int, float] = {}
        for _ in range(2):
            (found,) = self.harness.claim(lane, 1)
            arrived[number_of(found)] = time.time()
        early = due - arrived[1]
        demand(early < 0.05, f"a message came {early:.2f} s before it was due")

    @level(Level.OPTIONAL)
    @needs("CHANGE_QUEUES", tried=True)
    def test_queues_are_changed_while_the_lane_is_open(self) -> None:
        lane, queue = self.harness.consumer(), self.harness.queue
        self._publish(self.harness.message(0))
        (claimed,) = self.harness.claim(lane, 1)
        lane.remove_queue(queue.name)
        self._publish(*self._numbered(3)[1:])
        demand(not self.harness.claim_nothing(lane), "a message came from a queue that was removed")
        lane.settle(Settlements(ack=[claimed.tag]))
        before = self.harness.rings
        lane.add_queue(queue)
        self.harness.loop.until(lambda: self.harness.rings > before, "on_ready is called for a queue that was added")
        found = [number_of(delivery) for delivery in self.harness.claim(lane, 2)]
        demand(found == [1, 2], f"a queue that was added again gave {found}, and has 1 and 2")
        demand(not self.harness.claim_nothing(lane), "a message that was acked came again")

    @level(Level.OPTIONAL)
    @needs("CHANGE_QUEUES", tried=True)
    def test_what_waits_in_a_removed_queue_is_for_others(self) -> None:
        lane = self.harness.consumer()
        self._publish(*self._numbered(3))
        self.harness.loop.until(lambda: self.harness.rings > 0, "the messages arrive")
        lane.remove_queue(self.harness.queue.name)
        found = [number_of(delivery) for delivery in self.harness.claim(self.harness.consumer(), 3)]
        demand(sorted(found) == [0, 1, 2], f"of the messages 0, 1 and 2 another lane had {found}")

    @level(Level.OPTIONAL)
    @needs("QUEUE_DEPTH", tried=True)
    def test_the_depth_of_a_queue_is_known(self) -> None:
        lane = self.harness.consumer()
        self._publish(*self._numbered(4))
        self.harness.claim(lane, 1)
        ready = lane.depth(self.harness.queue.name)
        demand(ready == 3, f"of 4 messages one is claimed, and depth says {ready}")

    @level(Level.RECOMMENDED)
    def test_renewing_keeps_the_claims(self) -> None:
        lane = self.harness.consumer()
        self._publish(self.harness.message())
        (claimed,) = self.harness.claim(lane, 1)
        lane.renew()
        lane.settle(Settlements(ack=[claimed.tag]))
        demand(not self.harness.claim_nothing(lane), "a message was delivered again after its claim was renewed")

    @level(Level.RECOMMENDED)
    @needs("BEGIN_TRACE")
    def test_no_begun_message_is_lost_while_its_lane_lives(self) -> None:
        lane = self.harness.consumer()
        self._publish(self.harness.message())
        (claimed,) = self.harness.claim(lane, 1)
        lane.settle(Settlements(begin=[claimed.tag]))
        demand(not self.harness.consumer().lost(), "a message is reported as lost although its worker lives")
        lane.settle(Settlements(ack=[claimed.tag]))
