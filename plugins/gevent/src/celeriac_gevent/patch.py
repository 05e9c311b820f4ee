"""Making the standard library cooperate, before anything else is imported."""

from __future__ import annotations


def patch() -> None:
    """Replace what blocks in the standard library by what lets other greenlets run."""
    from gevent import monkey

    monkey.patch_all()


def is_patched() -> bool:
    """Whether that has been done, by whomever."""
    from gevent import monkey

    return bool(monkey.is_module_patched("socket"))
