"""Where the sun stands: an almanac for schedules by the sun."""

from __future__ import annotations
