"""The reference has each signal, with the arguments that it names."""

from __future__ import annotations

import re

from celeriac import signals

_ROW = re.compile(r"^\| (`[^|]+) \|[^|]*\|([^|]*)\|.*\|$", re.MULTILINE)


def test_the_reference_has_each_signal_with_its_arguments(pytestconfig):
    page = (pytestconfig.rootpath / "docs" / "reference" / "signals.md").read_text()
    shown = {}
    for names, arguments in _ROW.findall(page):
        for name in re.findall(r"`(\w+)`", names):
            shown[name] = set(re.findall(r"`(\w+)`", arguments))
    known = {name: each for name, each in vars(signals).items() if isinstance(each, signals.Signal)}
    assert shown.keys() == known.keys()
    lacking = {name: sorted(each.providing_args - shown[name]) for name, each in known.items()}
    assert {name: arguments for name, arguments in lacking.items() if arguments} == {}
