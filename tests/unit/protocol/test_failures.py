"""Exceptions in results: they cross with type, message and cause, and let nothing else through."""

from __future__ import annotations

import builtins
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celeriac import exceptions
from celeriac.exceptions import NotRegistered, ProtocolError, SecurityError, WorkerLostError
from celeriac.protocol import json
from celeriac.protocol.failures import decode_exception, encode_exception

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


class Shop:
    class SoldOut(Exception):
        pass


class Picky(Exception):
    """A constructor whose parameters are not what it passes on: the everyday case."""

    def __init__(self, code: int, *, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code


class PickyToo(Picky):
    def __str__(self) -> str:
        return f"code {self.code}"


class Disguised(Exception):
    def __new__(cls, *args: Any) -> Any:
        return object() if args == ("from a result",) else super().__new__(cls, *args)


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A loaded module of the user's, with this file's classes in it."""
    found = types.ModuleType("shop_of_this_test")
    for kind in (Shop, Picky, PickyToo, Disguised):
        setattr(found, kind.__name__, kind)
    monkeypatch.setitem(sys.modules, found.__name__, found)
    return found


def named(name: str, module: str | None, *args: Any, **more: Any) -> dict[str, Any]:
    return {"exc_type": name, "exc_module": module, "exc_message": list(args), **more}


class TestWriting:
    def test_an_exception_is_type_args_and_module(self) -> None:
        assert encode_exception(ValueError("no", 5)) == {
            "exc_type": "ValueError",
            "exc_message": ["no", 5],
            "exc_module": "builtins",
        }

    def test_a_nested_class_is_named_in_full(self) -> None:
        found = encode_exception(Shop.SoldOut())
        assert (found["exc_type"], found["exc_module"]) == ("Shop.SoldOut", __name__)

    def test_a_class_that_was_made_in_a_function_goes_by_its_own_name(self) -> None:
        class Odd(Exception):
            class Inner(Exception):
                pass

        assert encode_exception(Odd())["exc_type"] == "Odd"
        assert encode_exception(Odd.Inner())["exc_type"] == "Odd.Inner"

    def test_our_own_classes_are_named_where_a_celery_client_has_them(self) -> None:
        assert encode_exception(WorkerLostError("x"))["exc_module"] == "celery.exceptions"

    def test_arguments_that_json_cannot_carry_become_their_repr(self) -> None:
        assert encode_exception(ValueError({1}, [{2}], {"a": [1]}))["exc_message"] == ["{1}", "[{2}]", {"a": [1]}]

    def test_arguments_that_the_stores_serializer_cannot_carry_become_their_repr(self) -> None:
        def encode(value: Any) -> bytes:
            raise RuntimeError("nothing at all")

        assert encode_exception(ValueError([1]), encode)["exc_message"] == ["[1]"]

    def test_notes_and_causes_are_kept(self) -> None:
        exc = ValueError("outer")
        exc.add_note("look here")
        exc.__cause__ = KeyError("inner")
        assert encode_exception(exc) == {
            "exc_type": "ValueError",
            "exc_message": ["outer"],
            "exc_module": "builtins",
            "exc_notes": ["look here"],
            "exc_cause": {"exc_type": "KeyError", "exc_message": ["inner"], "exc_module": "builtins"},
        }

    def test_causes_are_kept_to_a_depth_of_five(self) -> None:
        exc: BaseException = ValueError(0)
        for number in range(1, 10):
            outer = ValueError(number)
            outer.__cause__ = exc
            exc = outer
        found, depth = encode_exception(exc), 0
        while "exc_cause" in found:
            found, depth = found["exc_cause"], depth + 1
        assert depth == 5

    def test_a_ring_of_causes_ends(self) -> None:
        one, two = ValueError(1), ValueError(2)
        one.__cause__, two.__cause__ = two, one
        assert "exc_cause" not in encode_exception(one)["exc_cause"]


class TestReading:
    @given(
        st.sampled_from([ValueError, KeyError, RuntimeError, ArithmeticError, Exception, SystemExit]),
        st.lists(json_values.filter(lambda value: "__type__" not in repr(value)), max_size=4),
    )
    def test_what_was_written_is_read(self, kind: type[BaseException], args: list[Any]) -> None:
        read = decode_exception(json.loads(json.dumps(encode_exception(kind(*args)))))
        assert type(read) is kind
        assert read.args == tuple(args)

    def test_a_loaded_class_is_found_by_its_full_name(self, module: types.ModuleType) -> None:
        assert type(decode_exception(named("Shop.SoldOut", module.__name__, 1))) is Shop.SoldOut

    @pytest.mark.parametrize(
        "name",
        [n for n in exceptions.__all__ if n not in {"reraise", "OperationalError", "CeleryCommandException"}],
    )
    @pytest.mark.parametrize("module", ["celery.exceptions", "billiard.exceptions", "celeriac.exceptions"])
    def test_celerys_names_are_ours(self, name: str, module: str) -> None:
        assert isinstance(decode_exception(named(name, module, "x")), getattr(exceptions, name))

    def test_ours_cross_and_come_back_as_ours(self) -> None:
        read = decode_exception(json.loads(json.dumps(encode_exception(NotRegistered("tasks.gone")))))
        assert isinstance(read, NotRegistered)
        assert str(read) == "tasks.gone"

    @pytest.mark.parametrize("module", ["exceptions", "__builtin__"])
    def test_the_builtins_of_old_pythons_are_the_builtins(self, module: str) -> None:
        assert type(decode_exception(named("ValueError", module, "x"))) is ValueError

    def test_notes_and_causes_come_back(self) -> None:
        exc = ValueError("outer")
        exc.add_note("look here")
        exc.__cause__ = KeyError("inner")
        read = decode_exception(encode_exception(exc))
        assert read.__notes__ == ["look here"]
        assert repr(read.__cause__) == "KeyError('inner')"

    @pytest.mark.parametrize("message", ["text", ["text"], ("text",)])
    def test_the_args_may_be_a_list_or_one_value(self, message: Any) -> None:
        read = decode_exception({"exc_type": "ValueError", "exc_module": "builtins", "exc_message": message})
        assert read.args == ("text",)

    def test_an_exception_that_the_serializer_made_is_taken_as_it_is(self) -> None:
        exc = ValueError()
        assert decode_exception(exc) is exc


class TestAGroup:
    """What an `asyncio.TaskGroup` raises, and what `except*` takes apart."""

    def test_comes_back_with_what_it_holds(self) -> None:
        written = ExceptionGroup("two", [ValueError("no", 5), ExceptionGroup("inner", [KeyError("k")])])
        written.__cause__ = OSError("why")
        read = decode_exception(json.loads(json.dumps(encode_exception(written))))
        assert type(read) is ExceptionGroup
        assert (read.message, repr(read.__cause__)) == ("two", "OSError('why')")
        assert repr(read.exceptions[0]) == "ValueError('no', 5)"
        assert repr(read.exceptions[1]) == "ExceptionGroup('inner', [KeyError('k')])"

    def test_is_written_with_the_three_keys_that_celery_reads(self) -> None:
        found = encode_exception(ExceptionGroup("two", [ValueError("no")]))
        assert (found["exc_type"], found["exc_module"]) == ("ExceptionGroup", "builtins")
        assert found["exc_message"] == ["two", "[ValueError('no')]"]

    def test_of_a_class_that_is_not_loaded_still_holds_them(self) -> None:
        read = decode_exception(named("Batch", "never.loaded", "two", exc_group=[named("ValueError", "builtins", 1)]))
        assert type(read).__qualname__ == "Batch"
        assert isinstance(read, ExceptionGroup | BaseExceptionGroup)
        assert repr(read.exceptions) == "(ValueError(1),)"

    def test_that_holds_what_its_class_does_not_take_is_made_up(self) -> None:
        read = decode_exception(
            named("ExceptionGroup", "builtins", "x", exc_group=[named("SystemExit", "builtins", 1)])
        )
        assert type(read).__name__ == "ExceptionGroup"
        assert isinstance(read, BaseExceptionGroup)

    def test_holds_so_many_at_most(self) -> None:
        wide = ExceptionGroup("wide", [ExceptionGroup("inner", [ValueError(n) for n in range(50)]) for _ in range(50)])

        def exceptions(value: dict[str, Any]) -> int:
            return 1 + sum(map(exceptions, value.get("exc_group", ())))

        assert exceptions(encode_exception(wide)) <= 101

    def test_of_a_hostile_store_is_bounded_too(self) -> None:
        value = named("ExceptionGroup", "builtins", "x", exc_group=[named("ValueError", "builtins")] * 1000)
        for _ in range(50):
            value = named("ExceptionGroup", "builtins", "x", exc_group=[value] * 1000)

        def exceptions(exc: BaseException) -> int:
            return 1 + sum(map(exceptions, getattr(exc, "exceptions", ())))

        assert exceptions(decode_exception(value)) <= 101

    def test_is_read_as_carefully_as_any(self) -> None:
        with pytest.raises(SecurityError):
            decode_exception(named("ExceptionGroup", "builtins", "x", exc_group=[named("system", "os", "true")]))
        with pytest.raises(ProtocolError, match="exc_group"):
            decode_exception(named("ExceptionGroup", "builtins", "x", exc_group="text"))


class TestAClassThatIsNotLoaded:
    def test_is_made_up_under_the_same_name(self) -> None:
        read = decode_exception(named("Shop.Closed", "never.loaded", "x", 1))
        assert (type(read).__qualname__, type(read).__name__) == ("Shop.Closed", "Closed")
        assert type(read).__module__ == "never.loaded"
        assert isinstance(read, Exception)
        assert read.args == ("x", 1)
        assert "never.loaded" not in sys.modules

    def test_is_the_same_class_each_time(self) -> None:
        assert type(decode_exception(named("Gone", "m"))) is type(decode_exception(named("Gone", "m")))

    @pytest.mark.parametrize(
        ("name", "module"), [("Gone", "builtins"), ("ValueError", None), ("make.<locals>.Gone", "m"), ("Box[int]", "m")]
    )
    def test_is_made_up_for_odd_names_too(self, name: str, module: str | None) -> None:
        read = decode_exception(named(name, module, "x"))
        assert type(read).__qualname__ == name
        assert read.args == ("x",)

    def test_is_made_up_for_what_was_made_in_a_function_that_is_loaded(self) -> None:
        read = decode_exception(named("named.<locals>.Odd", __name__, 1, 2))
        assert (type(read).__name__, read.args) == ("Odd", (1, 2))

    def test_is_never_imported(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "could_be_imported.py").write_text("class Gone(Exception): pass")
        monkeypatch.syspath_prepend(tmp_path)
        assert type(decode_exception(named("Gone", "could_be_imported", "x"))).__module__ == "could_be_imported"
        assert "could_be_imported" not in sys.modules


class TestAConstructorThatDoesNotTakeTheArgs:
    def test_gives_an_instance_of_the_class_all_the_same(self, module: types.ModuleType) -> None:
        read = decode_exception({**encode_exception(Picky(5, detail="d")), "exc_module": module.__name__})
        assert type(read) is Picky
        assert str(read) == "5: d"
        assert "rebuilt from its args" in read.__notes__[0]

    def test_gives_a_class_made_up_where_the_instance_could_not_be_shown(self, module: types.ModuleType) -> None:
        read = decode_exception(named("PickyToo", module.__name__, "5: d"))
        assert type(read).__name__ == "PickyToo"
        assert not isinstance(read, PickyToo)
        assert str(read) == "5: d"

    def test_that_returns_something_else_is_not_believed(self, module: types.ModuleType) -> None:
        assert isinstance(decode_exception(named("Disguised", module.__name__, "from a result")), Exception)

    @pytest.mark.parametrize("name", ["UnicodeDecodeError", "ExceptionGroup", "BaseExceptionGroup"])
    def test_of_a_builtin_gives_a_class_made_up(self, name: str) -> None:
        read = decode_exception(named(name, "builtins", "x"))
        assert type(read).__name__ == name
        assert read.args == ("x",)


class TestAHostileStore:
    """What CVE-2021-23727 and its neighbours did: names that lead to something else than an exception class."""

    @pytest.mark.parametrize(
        ("name", "module"),
        [
            ("system", "os"),
            ("path", "os"),
            ("path.join", "os"),
            ("os.system", "subprocess"),
            ("eval", "builtins"),
            ("exec", "builtins"),
            ("type", "builtins"),
            ("object", "builtins"),
            ("int", "builtins"),
            ("str.format", "builtins"),
            ("Popen", "subprocess"),
            ("modules", "sys"),
            ("reraise", "celery.exceptions"),
            ("Any", "celery.exceptions"),
            ("ValueError.with_traceback", "builtins"),
            ("ValueError.args", "builtins"),
        ],
    )
    def test_that_names_something_else_is_refused(self, name: str, module: str) -> None:
        with pytest.raises(SecurityError, match="no exception class"):
            decode_exception(named(name, module, "echo pwned"))

    @pytest.mark.parametrize(
        "name",
        ["__import__", "__loader__", "ValueError.__init__", "ValueError.__init__.__globals__", "ValueError.__class__"],
    )
    def test_that_walks_special_attributes_is_refused(self, name: str) -> None:
        with pytest.raises(SecurityError, match="no class name"):
            decode_exception(named(name, "builtins", "x"))

    def test_runs_no_code_of_a_module_when_it_looks_for_a_class(self, module: types.ModuleType) -> None:
        asked: list[str] = []
        module.__getattr__ = asked.append  # type: ignore[method-assign]  # PEP 562
        decode_exception(named("Lazy.Error", module.__name__))
        assert asked == []

    def test_runs_no_descriptor_of_a_class(self, module: types.ModuleType) -> None:
        class Trap:
            def __get__(self, *_: Any) -> Any:
                raise AssertionError("a descriptor was run")

        module.Holder = type("Holder", (), {"Error": Trap()})  # type: ignore[attr-defined]  # made for this test
        with pytest.raises(SecurityError):
            decode_exception(named("Holder.Error", module.__name__))

    def test_cannot_reach_what_is_not_a_module(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "odd_thing", types.SimpleNamespace(Error=ValueError))  # as some libraries do
        assert type(decode_exception(named("Error", "odd_thing"))) is not ValueError

    def test_is_told_apart_in_causes_too(self) -> None:
        with pytest.raises(SecurityError):
            decode_exception(named("ValueError", "builtins", exc_cause=named("system", "os", "echo pwned")))

    def test_cannot_nest_causes_without_end(self) -> None:
        value = named("ValueError", "builtins")
        for _ in range(400):
            value = named("ValueError", "builtins", exc_cause=value)
        exc, depth = decode_exception(value), 0
        while exc.__cause__ is not None:
            exc, depth = exc.__cause__, depth + 1
        assert depth == 5

    def test_cannot_fill_memory_with_notes(self) -> None:
        read = decode_exception(named("ValueError", "builtins", exc_notes=["n" * 100_000] * 1000))
        assert sum(map(len, read.__notes__)) <= 20 * 4000

    @pytest.mark.parametrize(
        "value",
        [
            None,
            5,
            "ValueError",
            [],
            {},
            {"exc_type": 5},
            {"exc_type": ""},
            {"exc_type": None, "exc_module": "builtins"},
            {"exc_type": "\ud800"},
            {"exc_type": "a\0b"},
            {"exc_type": "x" * 513},
            {"exc_type": "X", "exc_module": 5},
            {"exc_type": "X", "exc_module": "\ud800"},
            {"exc_type": "X", "exc_module": "m" * 513},
            {"exc_type": "X", "exc_notes": "text"},
            {"exc_type": "X", "exc_notes": [5]},
            {"exc_type": "X", "exc_cause": 5},
        ],
    )
    def test_that_writes_another_shape_is_refused(self, value: Any) -> None:
        with pytest.raises(ProtocolError, match="exception"):
            decode_exception(value)

    @given(
        st.dictionaries(
            st.sampled_from(["exc_type", "exc_module", "exc_message", "exc_notes", "exc_cause", "exc_group"]),
            json_values
            | st.sampled_from([*sys.modules])
            | st.sampled_from([*vars(builtins)])
            | st.text(alphabet="ab._<>[]", max_size=6),
        )
    )
    def test_that_writes_any_json_gets_an_exception_or_a_refusal(self, value: Any) -> None:
        try:
            read = decode_exception(value)
        except (ProtocolError, SecurityError):
            return
        assert isinstance(read, BaseException)
        assert isinstance(str(read), str)
