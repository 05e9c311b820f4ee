"""The error of a failed part of a chord keeps the arguments that the serializer of the results can write."""

from __future__ import annotations

import uuid
from decimal import Decimal

import pytest

from celeriac import Celery, chord
from celeriac.exceptions import ChordError

ARGUMENTS = {"complex": 1 + 2j, "decimal": Decimal("1.5"), "bytes as a key": {b"k": 1}, "plain": [1, "two"]}


@pytest.mark.parametrize(
    ("serializer", "argument", "shown"),
    [
        ("pickle", "complex", "(1+2j)"),
        ("pickle", "decimal", "Decimal('1.5')"),
        ("pickle", "bytes as a key", "{b'k': 1}"),
        ("yaml", "complex", "'(1+2j)'"),
        ("yaml", "decimal", "\"Decimal('1.5')\""),
        ("yaml", "plain", "[1, 'two']"),
        ("msgpack", "decimal", "\"Decimal('1.5')\""),
        ("msgpack", "bytes as a key", "{b'k': 1}"),
        ("json", "decimal", "Decimal('1.5')"),
        ("json", "bytes as a key", "\"{b'k': 1}\""),
    ],
)
def test_the_error_of_a_part_is_written_as_that_of_a_result(start_worker, tmp_path, serializer, argument, shown):
    # Given a chord, one part of which fails with an argument that some serializers can write and others cannot
    settings = {"result_serializer": serializer, "accept_content": ["json", serializer]}
    app = Celery("proj", broker=f"memory://{uuid.uuid4()}", backend=f"sqlite:///{tmp_path}/results.db", **settings)

    @app.task(name="fail", shared=False)
    def fail():
        raise KeyError(ARGUMENTS[argument])

    @app.task(name="total", shared=False)
    def total(values):
        return sum(values)

    start_worker(app)
    # When it has failed
    result = chord([fail.si(), total.si([1])], total.s())()
    with pytest.raises(ChordError) as caught:
        result.get(timeout=10)
    # Then the body tells of the very error that the part's own result has
    part = result.parent.results[0]
    with pytest.raises(KeyError) as own:
        part.get(timeout=10)
    assert repr(own.value) == f"KeyError({shown})"
    assert str(caught.value) == f"Dependency {part.id} raised {own.value!r}"
    app.close()
