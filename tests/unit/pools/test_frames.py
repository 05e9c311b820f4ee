"""What a child says arrives whole, however the stream is cut."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from celeriac.contracts.backend import StoredResult
from celeriac.contracts.chords import Deposit
from celeriac.contracts.outcome import OutcomeKind
from celeriac.contracts.pool import Report
from celeriac.pools.frames import LEAVING, READY, FrameReader, frame_of_notice, frame_of_reports, report_of

REPORTS = st.builds(
    Report,
    number=st.integers(0, 2**40),
    kind=st.sampled_from(OutcomeKind),
    runtime=st.none() | st.floats(0, 1e6),
    detail=st.none() | st.text(),
    requeue=st.booleans(),
    traceback=st.none() | st.text(),
)


@given(st.lists(st.lists(REPORTS, max_size=5)), st.lists(st.integers(1, 40), min_size=1))
def test_reports_arrive_as_they_were_however_the_stream_is_cut(batches, cuts):
    stream = b"".join(frame_of_reports(batch) for batch in batches) + frame_of_notice(LEAVING)
    reader = FrameReader()
    frames, position, turn = [], 0, 0
    while position < len(stream):
        size = cuts[turn % len(cuts)]
        frames += reader.feed(stream[position : position + size])
        position, turn = position + size, turn + 1
    assert frames.pop() == LEAVING
    assert [[report_of(row) for row in frame] for frame in frames] == batches


def test_what_was_stored_stays_in_the_child():
    report = Report(1, OutcomeKind.SUCCESS, stored=Deposit([StoredResult("id", "SUCCESS", {"result": object()})], []))
    (frame,) = FrameReader().feed(frame_of_reports([report]))
    assert report_of(frame[0]) == report._replace(stored=None)


def test_an_unfinished_frame_waits_for_its_rest():
    stream = frame_of_notice(READY)
    reader = FrameReader()
    assert reader.feed(stream[:-1]) == []
    assert reader.feed(stream[-1:]) == [READY]
