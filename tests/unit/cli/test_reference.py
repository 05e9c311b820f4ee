"""The reference of the command line is made from the commands."""

from __future__ import annotations

from pathlib import Path

from celeriac.cli.reference import render

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "cli.md"


def test_the_page_is_made_from_the_commands():
    assert PAGE.read_text() == render(), "run: python -m celeriac.cli.reference > docs/reference/cli.md"


def test_every_option_of_the_kernels_commands_says_what_it_does():
    silent = [line for line in PAGE.read_text().splitlines() if line.startswith("| `") and line.endswith("|  |")]

    assert silent == []
