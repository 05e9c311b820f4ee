"""Coloured text (``celery.utils.term``)."""

from __future__ import annotations

from typing import Any, Final

_RESET: Final = "\033[0m"
_COLOURS: Final = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
_STYLES: Final = {"bold": 1, "underline": 4, "blink": 5, "reverse": 7, "bright": 8}
#: The escape sequence that begins each.
_BEGINS: Final = {
    **{name: f"\033[1;{30 + number}m" for number, name in enumerate(_COLOURS)},
    **{f"i{name}": f"\033[7;{30 + number}m" for number, name in enumerate(_COLOURS)},
    **{name: f"\033[{number}m" for name, number in _STYLES.items()},
}


class colored:  # noqa: N801  # Celery's name
    """Text whose parts have colours: ``colored().red("a", colored().bold("b"))``.

    Each of the colours, the same with an ``i`` before it (inverted), and ``bold``, ``underline``, ``blink``,
    ``reverse``, ``bright`` gives a new one of its arguments.  With ``enabled=False`` it is the text alone.
    """

    def __init__(self, *s: object, enabled: bool = True, op: str = "", **_: Any) -> None:
        self.s = s
        self.enabled = enabled
        self.op = op

    def __getattr__(self, name: str) -> Any:
        if name not in _BEGINS:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return lambda *s: self.node(s, _BEGINS[name])

    def node(self, s: Any, op: str) -> colored:
        """These parts, begun by an escape sequence."""
        return type(self)(*s, enabled=self.enabled, op=op)

    def embed(self) -> str:
        """The text, its colour not ended."""
        begin = self.op if self.enabled else ""
        return begin + "".join(each.embed() if isinstance(each, colored) else str(each) for each in self.s)

    def no_color(self) -> str:
        """The text alone."""
        return "".join(each.no_color() if isinstance(each, colored) else str(each) for each in self.s)

    def reset(self, *s: object) -> colored:
        """These parts, after the end of all colours."""
        return type(self)(*(s or ("",)), enabled=self.enabled, op=_RESET)

    def __str__(self) -> str:
        if not self.enabled:
            return self.no_color()
        text = self.op + "".join(map(str, self.s))
        return text + _RESET if self.op else text

    def __repr__(self) -> str:
        return repr(self.no_color())

    def __add__(self, other: object) -> str:
        return str(self) + str(other)


__all__ = ["colored"]
