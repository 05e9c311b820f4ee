"""Whether one function takes what another takes."""

from __future__ import annotations

import pytest
from celery_surface.signatures import parse, refusals


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("(self, a, b=None)", lambda self, a, b=None, c=0: None),
        ("(self, a, *args, **kwargs)", lambda self, a, *args, more=1, **kwargs: None),
        ("(cls, d, app=None)", lambda d, app=None: None),
        ("(self, a=<object object>, b=<bound method X.y of <class 'z'>>)", lambda self, a=1, b=2: None),
        ("(self, /, *args)", lambda self, *args: None),
        ("(self, *, only=1)", lambda self, *, only=1: None),
    ],
)
def test_what_takes_as_much_or_more_is_not_told_of(theirs, ours):
    assert refusals(parse(theirs), ours) == []


@pytest.mark.parametrize(
    ("theirs", "ours", "told"),
    [
        ("(self, a, b)", lambda self, b, a: None, ["argument 1 is b, not a", "argument 2 is a, not b"]),
        ("(self, a=1)", lambda self, a=2: None, ["a=2, not 1"]),
        ("(self, a)", lambda self, a, b: None, ["needs b"]),
        ("(self, a=None)", lambda self: None, ["a is not taken as argument 1", "takes no a="]),
        ("(self, *args)", lambda self: None, ["takes no *args"]),
        ("(self, **kwargs)", lambda self, a=1: None, ["takes no **kwargs"]),
        ("(self, a)", lambda self, a, /: None, ["a is not taken by its name"]),
        ("(self, a: 'int' = 1) -> 'None'", lambda self, **kwargs: None, ["a is not taken as argument 1"]),
    ],
)
def test_what_a_caller_may_write_and_we_do_not_take_is_told(theirs, ours, told):
    assert refusals(parse(theirs), ours) == told
