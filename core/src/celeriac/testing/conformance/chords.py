"""What a result store that counts the parts of chords must do."""

from __future__ import annotations

import time
from functools import partial
from itertools import chain
from typing import Any

from celeriac import states
from celeriac.contracts.backend import StoredResult
from celeriac.contracts.chords import ChordPart, NewChord, Turn
from celeriac.protocol.results import build_meta
from celeriac.testing.conformance.claims import needs
from celeriac.testing.conformance.demands import demand
from celeriac.testing.conformance.suite import Suite
from celeriac.testing.conformance.threads import together

_HEADER = 5
_PATIENCE = 10.0


def _parts(group_id: str, task_ids: list[str]) -> list[ChordPart]:
    return [
        ChordPart(group_id, place, task_id, states.SUCCESS, {"from": place}) for place, task_id in enumerate(task_ids)
    ]


class ChordChecks(Suite):
    """The part of `BackendSuite` that is about chords; a store that is no `ChordStore` does not claim it."""

    def _header(self) -> tuple[str, list[ChordPart]]:
        group_id = self.harness.new_id()
        return group_id, _parts(group_id, [self.harness.new_id() for _ in range(_HEADER)])

    @needs("chords")
    def test_the_last_part_of_a_chord_claims_it(self) -> None:
        store = self.harness.store()
        group_id, parts = self._header()
        store.start_chords([NewChord(group_id, _HEADER)])
        for part in parts[:-1]:
            found = store.store_with_parts([], [part])
            demand(found == {}, f"a part before the last one led to {found!r}")
        found = store.store_with_parts([], parts[-1:])
        demand(found == {group_id: Turn.CLAIMED}, f"the last part led to {found!r}")

    @needs("chords")
    def test_the_parts_are_read_in_the_order_of_the_header(self) -> None:
        store = self.harness.store()
        group_id, parts = self._header()
        added = ChordPart(group_id, None, self.harness.new_id(), states.FAILURE, {"exc_type": "E"})
        store.start_chords([NewChord(group_id, _HEADER + 1)])
        for part in (parts[3], added, parts[0], parts[4], parts[2], parts[1]):
            store.store_with_parts([], [part])
        expected = [(part.task_id, part.state, part.result) for part in (*parts, added)]
        _, found = store.read_chord(group_id)
        demand(found == expected, f"the parts are {expected!r}, and come back as {found!r}")

    @needs("chords")
    def test_the_body_of_a_chord_is_kept(self) -> None:
        store = self.harness.store()
        kept, bare = self.harness.new_id(), self.harness.new_id()
        body = {"task": "t", "args": [1], "kwargs": {"k": None}, "options": {"task_id": "i"}, "immutable": False}
        store.start_chords([NewChord(kept, 1, body), NewChord(bare, 1)])
        demand(store.read_chord(kept)[0] == body, f"the body {body!r} came back as {store.read_chord(kept)[0]!r}")
        demand(store.read_chord(bare)[0] is None, "a chord without a body has one")

    @needs("chords")
    def test_a_part_that_comes_again_counts_once(self) -> None:
        store = self.harness.store()
        group_id, parts = self._header()
        store.start_chords([NewChord(group_id, _HEADER)])
        for part in (*parts[:-1], *parts[:-1], *parts[:-1]):
            found = store.store_with_parts([], [part])
            demand(found == {}, f"parts that came three times completed a chord that one is missing from: {found!r}")
        changed = parts[0]._replace(state=states.FAILURE, result={"exc_type": "E"})
        store.store_with_parts([], [changed, parts[-1]])
        _, found = store.read_chord(group_id)
        demand(found[0][1] == states.SUCCESS, "a part was replaced by a later report of the same task")

    @needs("chords")
    def test_a_claimed_chord_is_busy_until_it_is_ended(self) -> None:
        store = self.harness.store()
        group_id, parts = self._header()
        store.start_chords([NewChord(group_id, _HEADER)])
        store.store_with_parts([], parts)
        for _ in range(3):
            found = store.store_with_parts([], parts[-1:])
            demand(found == {group_id: Turn.BUSY}, f"the last part came again, and led to {found!r}")
        demand(store.claim_chord(group_id) is Turn.BUSY, "a claimed chord was claimed again")
        store.end_chords([group_id])
        demand(store.claim_chord(group_id) is None, "a chord that has ended could be claimed")
        found = self.harness.store().store_with_parts([], parts)
        demand(found == {}, f"parts that came after the end led to {found!r}")

    @needs("chords")
    def test_only_a_complete_chord_can_be_claimed(self) -> None:
        store = self.harness.store()
        group_id, parts = self._header()
        demand(store.claim_chord(group_id) is None, "a chord that nobody knows could be claimed")
        store.start_chords([NewChord(group_id, _HEADER)])
        store.store_with_parts([], parts[:-1])
        demand(store.claim_chord(group_id) is None, "a chord without all of its parts could be claimed")

    @needs("chords")
    def test_a_chord_may_grow(self) -> None:
        store = self.harness.store()
        group_id, parts = self._header()
        store.start_chords([NewChord(group_id, _HEADER - 1)])
        store.grow_chord(group_id)
        demand(store.store_with_parts([], parts[:-1]) == {}, "a chord that had grown was complete without the new part")
        found = store.store_with_parts([], parts[-1:])
        demand(found == {group_id: Turn.CLAIMED}, f"the part that was added led to {found!r}")

    @needs("chords")
    def test_results_are_stored_with_the_parts(self) -> None:
        store = self.harness.store()
        group_id, parts = self._header()
        store.start_chords([NewChord(group_id, _HEADER)])
        results = [
            StoredResult(part.task_id, states.SUCCESS, build_meta(part.task_id, states.SUCCESS, 1)) for part in parts
        ]
        store.store_with_parts(results, parts)
        found = store.fetch([part.task_id for part in parts])
        demand(len(found) == _HEADER, f"{_HEADER} results were stored with their parts, {len(found)} are there")

    @needs("chords")
    def test_many_chords_are_counted_at_once(self) -> None:
        store = self.harness.store()
        headers = [self._header() for _ in range(20)]
        store.start_chords([NewChord(group_id, _HEADER) for group_id, _ in headers])
        found = store.store_with_parts([], [part for _, parts in headers for part in parts])
        demand(found == {group_id: Turn.CLAIMED for group_id, _ in headers}, f"20 chords were complete: {found!r}")

    @needs("chords")
    def test_one_of_many_threads_claims_a_chord(self) -> None:
        stores = [self.harness.store() for _ in range(4)]
        group_id = self.harness.new_id()
        more = _parts(group_id, [self.harness.new_id() for _ in range(40)])
        stores[0].start_chords([NewChord(group_id, len(more))])

        def report(own: Any, first: int) -> list[dict[str, Turn]]:
            # Each part comes from two of the threads.
            twice = (*more[first::4], *more[(first + 1) % 4 :: 4])
            return [own.store_with_parts([], [part]) for part in twice]

        claims = together([partial(report, store, index) for index, store in enumerate(stores)])
        claimed = sum(claim.get(group_id) is Turn.CLAIMED for claim in chain.from_iterable(claims))
        demand(claimed == 1, f"four threads reported each part twice, and {claimed} of them claimed the chord")

    @needs("chords")
    def test_of_several_messages_of_a_body_the_first_is_admitted(self) -> None:
        store = self.harness.store()
        first, second = self.harness.new_id(), self.harness.new_id()
        for task_id, token, expected in (
            (first, "a", True),
            (first, "b", False),
            (first, "a", True),
            (second, "b", True),
            (first, "b", False),
        ):
            found = self.harness.store().admit(task_id, token)
            demand(found is expected, f"asked for {token!r} after 'a', where that came first, it said {found!r}")
        demand(store.admit(second, "a") is False, "another store object admitted a second message of the same body")

    @needs("chords")
    def test_one_of_many_threads_is_admitted(self) -> None:
        stores = [self.harness.store() for _ in range(4)]
        bodies = [self.harness.new_id() for _ in range(20)]

        def ask(own: Any, token: str) -> list[str]:
            return [task_id for task_id in bodies if own.admit(task_id, token)]

        admitted = chain.from_iterable(
            together([partial(ask, store, str(index)) for index, store in enumerate(stores)])
        )
        demand(sorted(admitted) == sorted(bodies), "of four messages of each body not exactly one was admitted")

    @needs("chords")
    def test_an_expired_chord_is_forgotten(self) -> None:
        store = self.harness.store()
        group_id = self.harness.new_id()
        store.start_chords([NewChord(group_id, _HEADER, {"task": "t"}, 0.05)])
        deadline = time.monotonic() + _PATIENCE
        while store.read_chord(group_id)[0] is not None and time.monotonic() < deadline:
            store.cleanup()
            time.sleep(0.02)
        demand(
            store.read_chord(group_id)[0] is None, f"a chord was to be kept for 0.05 s and is there after {_PATIENCE:g}"
        )
