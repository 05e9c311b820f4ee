"""Moments on the wire."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celeriac.exceptions import ProtocolError
from celeriac.protocol.timestamps import (
    LATEST,
    eta_after,
    expires_at,
    parse_iso,
    parse_moment,
    seconds_until,
    to_iso,
)

NOW = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)
offsets = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


class TestIsoText:
    @pytest.mark.parametrize(
        ("text", "moment"),
        [
            ("2024-05-01T12:00:00+00:00", NOW),
            ("2024-05-01T12:00:00Z", NOW),
            ("2024-05-01T14:00:00+02:00", NOW),
            ("2024-05-01T12:00:00", NOW),
            ("2024-05-01 12:00:00.5", NOW + timedelta(seconds=0.5)),
            ("2024-05-01", NOW - timedelta(hours=12)),
        ],
    )
    def test_is_read_with_z_an_offset_or_as_utc(self, text: str, moment: datetime) -> None:
        assert parse_iso(text) == moment
        assert parse_iso(text).tzinfo is not None

    def test_without_offset_can_be_read_in_another_zone(self) -> None:
        assert parse_iso("2024-05-01T14:00:00", ZoneInfo("Europe/Berlin")) == NOW

    def test_without_offset_can_be_read_as_local_time(self) -> None:
        local = NOW.astimezone().replace(tzinfo=None)
        assert parse_iso(local.isoformat(), None) == NOW

    def test_is_written_with_offset(self) -> None:
        assert to_iso(NOW) == "2024-05-01T12:00:00+00:00"
        assert to_iso(NOW.astimezone(timezone(timedelta(hours=2)))) == "2024-05-01T14:00:00+02:00"

    def test_a_naive_moment_is_written_as_utc(self) -> None:
        assert to_iso(datetime(2024, 5, 1)) == "2024-05-01T00:00:00+00:00"

    @given(st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=offsets))
    def test_what_was_written_is_read(self, moment: datetime) -> None:
        assert parse_iso(to_iso(moment)) == moment

    @given(st.datetimes(timezones=st.none() | offsets), st.none() | offsets)
    def test_what_is_read_can_be_shown_in_every_zone(self, moment: datetime, naive: Any) -> None:
        read = parse_iso(moment.isoformat(), naive)
        for hours in (-23, 23):
            read.astimezone(timezone(timedelta(hours=hours)))

    def test_the_end_of_the_calendar_becomes_the_last_moment_that_all_zones_have(self) -> None:
        assert parse_iso("9999-12-31T23:59:59.999999-12:00") == LATEST
        assert parse_iso("0001-01-01T00:00:00+12:00").year == 1

    @pytest.mark.parametrize(
        "text", ["", "soon", "2024-13-01", "1e300", "2024-05-01T12:00:00+99:99", "\ud800", "9" * 65]
    )
    def test_of_another_kind_is_refused(self, text: str) -> None:
        with pytest.raises(ProtocolError, match="ISO 8601"):
            parse_iso(text)

    @given(st.text(alphabet="0123456789-:TZ+. W", max_size=40) | st.text())
    def test_of_any_kind_is_read_or_refused(self, text: str) -> None:
        try:
            assert parse_iso(text).tzinfo is not None
        except ProtocolError:
            return


class TestAMoment:
    def test_may_be_absent(self) -> None:
        assert parse_moment(None, "header 'eta'") is None

    def test_may_be_a_datetime_that_the_serializer_made(self) -> None:
        assert parse_moment(NOW.replace(tzinfo=None), "header 'eta'") == NOW

    @pytest.mark.parametrize("value", ["soon", 5, [], {}, True])
    def test_of_another_kind_is_refused_by_its_name(self, value: Any) -> None:
        with pytest.raises(ProtocolError, match="header 'eta': "):
            parse_moment(value, "header 'eta'")


class TestACountdown:
    @pytest.mark.parametrize("countdown", [90, 90.0, timedelta(seconds=90)])
    def test_leads_to_a_moment(self, countdown: Any) -> None:
        assert eta_after(countdown, NOW) == NOW + timedelta(seconds=90)

    def test_may_lead_to_the_past(self) -> None:
        assert eta_after(-90, NOW) == NOW - timedelta(seconds=90)

    def test_counts_from_now(self) -> None:
        before = datetime.now(UTC)
        assert before <= eta_after(0) <= datetime.now(UTC)

    @pytest.mark.parametrize(
        "value", [math.nan, math.inf, -math.inf, 1e300, -1e300, 10**400, -(10**12), timedelta.max, timedelta.min]
    )
    def test_beyond_the_calendar_is_refused(self, value: Any) -> None:
        with pytest.raises(ProtocolError, match="within the calendar"):
            eta_after(value, NOW)
        with pytest.raises(ProtocolError, match="within the calendar"):
            expires_at(value, NOW)

    @pytest.mark.parametrize("value", [None, True, "5", [], object()])
    def test_that_is_no_number_is_refused(self, value: Any) -> None:
        with pytest.raises(ProtocolError, match="countdown: expected a number of seconds"):
            eta_after(value, NOW)

    @given(st.floats() | st.integers() | st.timedeltas())
    def test_is_converted_or_refused(self, value: Any) -> None:
        try:
            eta_after(value, NOW)
        except ProtocolError:
            return


class TestExpiry:
    @pytest.mark.parametrize("expires", [60, timedelta(minutes=1), NOW + timedelta(minutes=1), "2024-05-01T12:01:00Z"])
    def test_is_seconds_or_a_moment(self, expires: Any) -> None:
        assert expires_at(expires, NOW) == NOW + timedelta(minutes=1)

    def test_may_be_in_the_past(self) -> None:
        assert expires_at(-60, NOW) == NOW - timedelta(minutes=1)

    def test_that_is_a_naive_datetime_is_utc(self) -> None:
        assert expires_at(datetime(2024, 5, 1, 12)) == NOW

    def test_that_is_the_end_of_the_calendar_is_kept_within_it(self) -> None:
        assert expires_at(datetime.max) == LATEST

    @pytest.mark.parametrize("value", [True, "soon", [], object()])
    def test_of_another_kind_is_refused(self, value: Any) -> None:
        with pytest.raises(ProtocolError):
            expires_at(value, NOW)

    def test_is_told_in_seconds(self) -> None:
        assert seconds_until(NOW + timedelta(seconds=1.5), NOW) == 1.5
        assert seconds_until(NOW - timedelta(seconds=1.5), NOW) == -1.5
