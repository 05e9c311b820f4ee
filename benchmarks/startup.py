"""What it costs to start: `python startup.py --venvs DIR`.

The programs of a comparison take turns; a time is that of the whole process, from its start to its end.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import time
from pathlib import Path

APP = "from {peer} import Celery; Celery('x', broker='redis://').amqp"
CONNECTION = "from {peer} import Celery; Celery('x', broker='{broker}').connection_for_write()"

#: What is promised: words, ours, theirs, the highest ratio; an argv begins with a program of an environment.
COMPARED = (
    (
        "import celeriac / a bare interpreter",
        ("celeriac", "python", "-c", "import celeriac"),
        ("celeriac", "python", "-c", "pass"),
        1.3,
    ),
    (
        "an app with its broker configured / Celery's",
        ("celeriac", "python", "-c", APP.format(peer="celeriac")),
        ("celery", "python", "-c", APP.format(peer="celery")),
        0.7,
    ),
    (
        "an app with a connection made / Celery's",
        ("celeriac", "python", "-c", CONNECTION.format(peer="celeriac", broker="sqlite://")),
        ("celery", "python", "-c", CONNECTION.format(peer="celery", broker="redis://")),
        None,
    ),
    ("celeriac --help / celery --help", ("celeriac", "celeriac", "--help"), ("celery", "celery", "--help"), 0.7),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--venvs", type=Path, required=True, help="the directory of the peers' environments")
    parser.add_argument("--rounds", type=int, default=21)
    options = parser.parse_args()
    print("| start-up | ms | against ms | ratio | promised | kept |")
    print("|---|---|---|---|---|---|")
    for words, ours, theirs, limit in COMPARED:
        times: tuple[list[float], list[float]] = ([], [])
        for turn in range(options.rounds + 1):
            for argv, taken in zip((ours, theirs), times, strict=True):
                milliseconds = run(options.venvs.absolute(), *argv)
                if turn:  # the first of each compiles and warms the file cache
                    taken.append(milliseconds)
        mine, other = map(statistics.median, times)
        ratio = statistics.median(a / b for a, b in zip(*times, strict=True))
        promised, kept = ("", "") if limit is None else (f"at most {limit}", "yes" if ratio <= limit else "NO")
        print(f"| {words} | {mine:.0f} | {other:.0f} | {ratio:.2f} | {promised} | {kept} |")


def run(venvs: Path, peer: str, program: str, *arguments: str) -> float:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "CELERIAC_"))}
    begun = time.perf_counter()
    subprocess.run([str(venvs / peer / "bin" / program), *arguments], env=env, stdout=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - begun) * 1e3


if __name__ == "__main__":
    main()
