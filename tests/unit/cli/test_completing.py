"""What the Tab key offers for the values of options and arguments."""

from __future__ import annotations

import pytest
from click.shell_completion import ShellComplete

from celeriac.cli.main import celeriac_command


@pytest.mark.parametrize(
    ("words", "typed", "offered"),
    [
        (["worker", "-P"], "pr", ["prefork", "processes"]),
        (["beat", "-S"], "", ["django", "persistent", "store"]),
        (["worker", "--scheduler"], "st", ["store"]),
        (["-A", "absent", "inspect"], "active", ["active", "active_queues"]),
        (["control"], "rate", ["rate_limit"]),
        (["worker", "-l"], "i", ["info"]),
        (["events", "--loglevel"], "", ["CRITICAL", "DEBUG", "ERROR", "INFO", "WARNING"]),
    ],
)
def test_values_are_offered(words, typed, offered):
    completion = ShellComplete(celeriac_command, {}, "celeriac", "_CELERIAC_COMPLETE")
    assert [found.value for found in completion.get_completions(words, typed)] == offered
