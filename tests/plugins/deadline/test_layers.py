"""What the worker does with a message that has a deadline; the whole worker is in test_worker."""

from __future__ import annotations

import logging
import math
import time

import pytest

from celeriac.contracts import Delivery, OutcomeKind
from celeriac_deadline.layers import drop_if_late


def delivery(headers):
    headers = {"task": "proj.report", "id": "some-id", **headers}
    return Delivery(1, "q", headers, {}, b"not decoded", "application/json", "utf-8", "", "q", False, 1)


def goes_on(message):
    return ("goes on", message)


def test_a_late_message_ends_as_expired_and_the_log_says_which(caplog):
    caplog.set_level(logging.INFO, "celeriac_deadline")
    assert drop_if_late(delivery({"deadline": time.time() - 10}), goes_on) is OutcomeKind.EXPIRED
    assert "Task proj.report[some-id] is dropped: its deadline passed 1" in caplog.text


@pytest.mark.parametrize("headers", [{}, {"deadline": None}, {"deadline": time.time() + 1_000_000}])
def test_a_message_in_time_goes_on(headers):
    message = delivery(headers)
    assert drop_if_late(message, goes_on) == ("goes on", message)


@pytest.mark.parametrize("iso", ["2001-01-01T00:00:00+00:00", "2001-01-01T00:00:00Z"])
def test_a_sender_that_writes_iso_is_understood(iso):
    assert drop_if_late(delivery({"deadline": iso}), goes_on) is OutcomeKind.EXPIRED


@pytest.mark.parametrize("hostile", ["soon", "", [], {}, {"a": 1}, True, math.nan, -math.inf, "9" * 5000, 10**400])
def test_a_deadline_that_cannot_be_read_counts_as_none_and_is_logged_briefly(hostile, caplog):
    message = delivery({"deadline": hostile})
    assert drop_if_late(message, goes_on) == ("goes on", message)
    assert "deadline that cannot be read" in caplog.text
    assert len(caplog.text) < 400
