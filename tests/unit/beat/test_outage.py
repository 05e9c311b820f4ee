"""What is told of what is out of reach."""

from __future__ import annotations

from types import SimpleNamespace

from celeriac.beat import outage
from celeriac.beat.outage import Outage


def test_it_is_told_when_it_begins_while_it_lasts_and_when_it_is_over(monkeypatch, caplog):
    now = [100.0]
    monkeypatch.setattr(outage, "time", SimpleNamespace(monotonic=lambda: now[0]))
    caplog.set_level("WARNING")
    away = Outage("the broker")
    away.over()
    for _ in range(130):
        away.tell(ConnectionError("refused"))
        now[0] += 1
    assert away.fault == "the broker is out of reach: refused"
    away.over()
    away.over()
    assert away.fault is None
    again = "beat: the broker is out of reach, trying again: refused"
    assert [each.getMessage() for each in caplog.records] == [
        *[again] * 3,
        "beat: the broker is in reach again, after 130 s",
    ]
