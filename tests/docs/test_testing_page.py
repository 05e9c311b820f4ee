"""The files of the how-to on testing are a project whose tests pass."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "test-your-tasks.md"


def test_the_project_of_the_page_passes_its_own_tests(pytester, monkeypatch):
    # Given the files of the page, each named before its block
    files = re.findall(r"`(\w+\.py)`:\n\n```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(files) == PAGE.read_text().count("```python") == 7
    for name, text in files:
        pytester.path.joinpath(name).write_text(text)
    # When they are run, by a pytest of their own
    monkeypatch.syspath_prepend(pytester.path)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-W", "error")
    # Then all pass
    tests = sum(text.count("\ndef test_") for _, text in files)
    result.assert_outcomes(passed=tests)
