"""Compressed messages and rejected tasks, through a worker of the everyday app."""

from __future__ import annotations

import pytest

from celeriac.exceptions import Reject


@pytest.mark.parametrize("method", ["gzip", "bzip2", "lzma", "zstd", "brotli"])
def test_a_compressed_message_runs_like_any_other(everyday, start_worker, method):
    start_worker("-P", "solo")
    assert everyday.add.apply_async((20, 22), compression=method).get(timeout=20) == 42


def test_a_task_that_rejects_its_message_for_good_has_failed(everyday, start_worker):
    start_worker("-P", "solo")
    with pytest.raises(Reject, match="not today"):
        everyday.refuse.delay().get(timeout=20)
