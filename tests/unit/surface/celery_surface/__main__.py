"""Print the table: ``make surface``."""

from __future__ import annotations

import sys
from collections import Counter

from celery_surface.markers import scan
from celery_surface.names import TESTS
from celery_surface.table import Row, rows, stale, unknown


def _line(row: Row) -> str:
    exists = "yes" if row.exists else "no"
    takes = "-" if not row.exists else "; ".join(row.differences) or "same"
    tests = (
        row.tests[0].partition("/")[2] + (f" (+{len(row.tests) - 1})" if len(row.tests) > 1 else "")
        if row.tests
        else "-"
    )
    mark = " " if not row.gaps else "o" if row.excuse else "X"
    return f"{mark} {row.name.path:<58} {exists:<4} {takes:<40} {tests}" + (f"  [{row.excuse}]" if row.excuse else "")


def main() -> int:
    """The table, then what is wrong with it; 1 where something is."""
    shown = scan(TESTS)
    table = rows(shown)
    print(f"  {'name':<58} {'here':<4} {'takes':<40} shown by")
    for row in table:
        print(_line(row))
    count = Counter(("whole" if not row.gaps else "excused" if row.excuse else "gap") for row in table)
    print(f"\n{len(table)} names: {count['whole']} whole, {count['excused']} excused (o), {count['gap']} gaps (X)")
    wrong = [*unknown(shown), *stale(table)]
    print("\n".join(wrong))
    return int(bool(wrong or count["gap"]))


if __name__ == "__main__":
    sys.exit(main())
