"""Made by `make stubs`: where each name is."""

from kombu.asynchronous.timer import Entry as Entry
from kombu.asynchronous.timer import Timer as _Schedule
from kombu.asynchronous.timer import Timer as Timer
from kombu.asynchronous.timer import to_timestamp as to_timestamp

Schedule = _Schedule
