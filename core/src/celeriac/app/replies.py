"""What workers have answered, as one map."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from celeriac.exceptions import DuplicateNodenameWarning


def flatten_reply(reply: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Node name to answer, from the list of answers that a broadcast gives.

    Warns with `DuplicateNodenameWarning` where a node name has answered more than once: two workers have it.
    """
    answers = list(reply)
    counts = Counter(node for answer in answers for node in answer)
    twice = sorted(node for node, count in counts.items() if count > 1)
    if twice:
        names = ", ".join(twice)
        warnings.warn(
            DuplicateNodenameWarning(
                f"several workers answer to the name {names}, and only one answer of each is kept: "
                "give each worker a name of its own, with the option -n"
            ),
            stacklevel=2,
        )
    return {node: value for answer in answers for node, value in answer.items()}
