"""What somebody may have meant by a name that is not known."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: str, choices: Iterable[str], limit: int = 3) -> list[str]:
    """The choices closest to `word`, best first; empty where none is close."""
    from difflib import get_close_matches  # only errors need it, and it costs some milliseconds

    by_fold = {choice.lower(): choice for choice in sorted(choices)}
    return [by_fold[found] for found in get_close_matches(word.lower(), by_fold, n=limit, cutoff=0.6)]


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """`` Did you mean 'x'?`` with a leading blank, or an empty string where nothing is close."""
    found = nearest(word, (choice for choice in choices if choice != word), limit=2)
    return f" Did you mean {' or '.join(repr(choice) for choice in found)}?" if found else ""
