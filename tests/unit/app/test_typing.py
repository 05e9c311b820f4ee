"""What an editor and mypy say of tasks: a wrong argument is an error, a result has the type of the function."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from mypy import api

SOURCES = Path(__file__).parents[3] / "core" / "src"

PREAMBLE = """\
from typing import Any

from celeriac import AsyncResult, Celery, Task, group, shared_task

app = Celery("proj")

@app.task
def add(x: int, y: int = 0) -> int:
    return x + y

@shared_task
def upper(text: str, *, strip: bool = False) -> str:
    return text.upper()

@app.task(bind=True, max_retries=3)
def bound(self: Task[..., str], x: int) -> str:
    return str(x)

@app.task(max_retries=3, queue="q")
def sized(text: str, size: int = 1) -> bytes:
    return text.encode()

@shared_task(bind=True)
def shared_bound(self: Any, x: int) -> float:
    return float(x)

@shared_task(acks_late=True)
def shared_sized(text: str) -> bytes:
    return text.encode()

@app.task
async def fetch(url: str) -> bytes:
    return url.encode()

@app.task(bind=True, ignore_result=False)
async def fetch_bound(self: Any, url: str, *, times: int = 1) -> int:
    return times

@shared_task
async def shared_fetch(url: str) -> int:
    return len(url)

@app.task(bind=True)
def open_bound(self: Any, /, **kwargs: int) -> int:
    return sum(kwargs.values())

class Greet(Task[[str], str]):
    def run(self, name: str) -> str:
        return name

"""

#: Each line, and what mypy must say of it: a part of the error, the revealed type, or nothing.
LINES = [
    ("add.delay(1, 2)", None),
    ("add.delay(1)", None),
    ("add.delay(x=1, y=2)", None),
    ('add.delay("x")', 'Argument 1 to "delay" of "Task" has incompatible type "str"; expected "int"'),
    ("add.delay()", 'Missing positional argument "x" in call to "delay" of "Task"'),
    ("add.delay(1, 2, 3)", 'Too many arguments for "delay" of "Task"'),
    ("add.delay(1, z=3)", 'Unexpected keyword argument "z" for "delay" of "Task"'),
    ("reveal_type(add)", "celeriac.app.task.Task[[x: int, y: int =], int]"),
    ("reveal_type(add.delay(1, 2))", "celeriac.results.async_result.AsyncResult[int]"),
    ("reveal_type(add.delay(1, 2).get())", "int"),
    ("reveal_type(add.delay(1, 2).get(timeout=3))", "int"),
    ("reveal_type(add(1, 2))", "int"),
    ('add("x")', 'has incompatible type "str"; expected "int"'),
    ("reveal_type(add.apply_async((1, 2), countdown=3).get())", "int"),
    ("reveal_type(add.apply((1, 2)).get())", "int"),
    ("reveal_type(add.AsyncResult('id').get())", "int"),
    ("number: int = add.delay(1).get()", None),
    ("text: str = add.delay(1).get()", 'Incompatible types in assignment (expression has type "int"'),
    ("result: AsyncResult[int] = add.delay(1)", None),
    ('upper.delay("x", strip=True)', None),
    ('upper.delay("x", True)', 'Too many positional arguments for "delay" of "Task"'),
    ('reveal_type(upper.delay("x").get())', "str"),
    ("reveal_type(bound.delay(1).get())", "str"),
    ("reveal_type(bound.apply((1,)).get())", "str"),
    ('Greet().delay("you")', None),
    ("Greet().delay(1)", 'incompatible type "int"; expected "str"'),
    ("reveal_type(app.send_task('t').get())", "Any"),
    ("add.apply_async(5)", 'has incompatible type "int"; expected "Sequence[Any] | None"'),
    ("group(add.s(1), add.s(2)).apply_async()", None),
    ("reveal_type(app.task(lambda: 3).delay().get())", "int"),
    ("bound.delay(1)", None),
    ('bound.delay("x")', 'Argument 1 to "delay" of "Task" has incompatible type "str"; expected "int"'),
    ("reveal_type(bound(1))", "str"),
    ('sized.delay("x", size=2)', None),
    ("sized.delay(1)", 'Argument 1 to "delay" of "Task" has incompatible type "int"; expected "str"'),
    ('reveal_type(sized.delay("x").get())', "bytes"),
    ("reveal_type(shared_bound.delay(1).get())", "float"),
    ('shared_bound.delay("x")', 'Argument 1 to "delay" of "Task" has incompatible type "str"; expected "int"'),
    ('reveal_type(shared_sized.delay("x").get())', "bytes"),
    ("shared_sized.delay()", 'Missing positional argument "text" in call to "delay" of "Task"'),
    ('reveal_type(fetch.delay("u").get())', "bytes"),
    ("fetch.delay(1)", 'Argument 1 to "delay" of "Task" has incompatible type "int"; expected "str"'),
    ('reveal_type(fetch.apply(("u",)).get())', "bytes"),
    ('reveal_type(fetch_bound.delay("u", times=2).get())', "int"),
    ('fetch_bound.delay("u", 2)', 'Too many positional arguments for "delay" of "Task"'),
    ('reveal_type(shared_fetch.delay("u").get())', "int"),
    ("reveal_type(add.s(1))", "celeriac.canvas.signature.Signature"),
    ("reveal_type(add.si(1, 2))", "celeriac.canvas.signature.Signature"),
    ("reveal_type(add.s(1) | add.s(2))", "celeriac.canvas.signature.Signature"),
    ("add.unknown", 'has no attribute "unknown"'),
    ("reveal_type(add.name)", "str | None"),
    ("reveal_type(add.app)", "celeriac.app.base.Celery"),
    ("reveal_type(add.request.retries)", "int"),
    ("open_bound.delay(a=1)", None),
    ("reveal_type(open_bound.delay(a=1).get())", "int"),
    ("async def a1() -> None: reveal_type(await add.delay(1))", "int"),
    ("async def a2() -> None: reveal_type(await add.adelay(1, 2))", "celeriac.results.async_result.AsyncResult[int]"),
    ("async def a3() -> None: reveal_type(await (await add.aapply_async((1,))).aget(timeout=3))", "int"),
    ('async def a4() -> None: reveal_type(await fetch.delay("u"))', "bytes"),
    ('async def a5() -> None: reveal_type(await fetch("u"))', "bytes"),
    ('async def a6() -> None: await add.adelay("x")', 'Argument 1 to "adelay" of "Task" has incompatible type "str"'),
    ("async def a7() -> None: fetch(1)", 'has incompatible type "int"; expected "str"'),
]


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What mypy says of each line, by its number."""
    directory = tmp_path_factory.mktemp("typing")
    (directory / "example.py").write_text(PREAMBLE + "\n".join(line for line, _ in LINES) + "\n")
    (directory / "mypy.ini").write_text(f"[mypy]\nstrict = True\nmypy_path = {SOURCES}\nfollow_imports = silent\n")
    output, errors, _ = api.run(
        [
            "--config-file",
            str(directory / "mypy.ini"),
            "--cache-dir",
            str(directory / "cache"),
            "--no-pretty",
            "--show-error-codes",
            str(directory / "example.py"),
        ]
    )
    assert errors == ""
    found: dict[int, list[str]] = {}
    for line in output.splitlines():
        if matched := re.match(r".*example\.py:(\d+): (?:error|note): (.*)", line):
            found.setdefault(int(matched[1]), []).append(matched[2])
    return found


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize(("number", "line", "expected"), [(number, *entry) for number, entry in enumerate(LINES, 1)])
def test_mypy_says(told, number, line, expected):
    said = told.get(PREAMBLE.count("\n") + number, [])
    if expected is None:
        assert said == [], line
    elif "reveal_type" in line:
        assert said == [f'Revealed type is "{expected}"'], line
    else:
        assert any(expected in one for one in said), (line, said)


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_mypy_finds_nothing_wrong_with_the_definitions_themselves(told):
    assert {number: said for number, said in told.items() if number <= PREAMBLE.count("\n")} == {}
