"""The graph of dependencies: its order, its drawing, and that of real results."""

from __future__ import annotations

import doctest
import io
import threading

import pytest

from celeriac import graph as module
from celeriac.exceptions import IncompleteStream
from celeriac.result import DependencyGraph, GraphFormatter


@pytest.fixture
def house():
    return DependencyGraph([("house", ["roof", "walls"]), ("roof", ["walls"]), ("walls", ["ground"]), ("ground", [])])


def drawn(graph, formatter=None):
    written = io.StringIO()
    graph.to_dot(written, formatter)
    return written.getvalue()


def test_what_others_depend_on_comes_first(house):
    order = house.topsort()
    assert sorted(order) == ["ground", "house", "roof", "walls"]
    assert order == ["ground", "walls", "roof", "house"]


def test_a_circle_is_refused():
    with pytest.raises(ValueError, match="circle"):
        DependencyGraph([("a", ["b"]), ("b", ["a"])]).topsort()


def test_a_long_chain_needs_no_deep_calls():
    graph = DependencyGraph([(number, [number + 1] if number < 20_000 else []) for number in range(20_001)])
    assert graph.topsort()[0] == 20_000


def test_nodes_and_edges_are_added_one_by_one():
    graph = DependencyGraph()
    graph.add_arc("a")
    graph.add_arc("b")
    graph.add_edge("a", "b")
    graph.add_arc("a")
    assert graph["a"] == ["b"]
    assert list(graph) == ["a", "b"]
    assert len(graph) == 2
    assert "b" in graph
    assert "c" not in graph
    assert graph.edges() == ["b"]
    assert dict(graph.items()) == dict(graph.iteritems()) == {"a": ["b"], "b": []}
    with pytest.raises(KeyError):
        graph.add_edge("c", "a")


def test_graphs_are_connected(house):
    house.connect(DependencyGraph([("street", [])]))
    house.add_edge("house", "street")
    assert house.topsort()[-1] == "house"
    assert "street" in house


def test_valency_counts_what_is_reached(house):
    assert house.valency_of("ground") == 1
    assert house.valency_of("walls") == 2
    assert house.valency_of("house") == 1 + house.valency_of("roof") + house.valency_of("walls")
    assert house.valency_of("nothing") == 0


def test_it_is_written_in_the_language_of_graphviz(house):
    text = drawn(house)
    assert text.startswith('digraph "dependencies" {\n')
    assert text.endswith("}\n")
    assert '"house" -> "roof" [color="darkseagreen4"' in text
    assert text.count('    "walls" [') == 1
    assert '"ground" [style="filled", fillcolor="palegreen1"' in text


def test_a_formatter_of_ones_own_draws_it(house):
    class Loud(GraphFormatter):
        def label(self, obj):
            return str(obj).upper()

    text = drawn(house, Loud(type="graph", id="it", shape="oval", root="house"))
    assert text.startswith('graph "it" {\n')
    assert '"HOUSE" -- "ROOF"' in text
    assert 'shape="oval"' in text


def test_names_cannot_break_out_of_the_drawing():
    assert '"a\\"];\\\\" [' in drawn(DependencyGraph([('a"];\\', [])]))


def test_it_shows_itself(house):
    assert repr(house).splitlines()[0] == f"house({house.valency_of('house')})"
    assert house.format("roof") == "roof"


def test_the_examples_hold():
    assert doctest.testmod(module).failed == 0


# -- of results --------------------------------------------------------------------------------------------------------


@pytest.fixture
def family(app):
    """A task that called two, of which one has called a third; all have returned their ids."""

    def put(task_id, *children):
        result = app.results.entry(task_id, "SUCCESS", task_id)
        result.meta["children"] = [app.AsyncResult(child).as_tuple() for child in children]
        app.results.store([result])

    put("top", "left", "right")
    put("left", "leaf")
    put("right")
    put("leaf")
    return app.AsyncResult("top")


@pytest.mark.covers("result.AsyncResult.iterdeps")
def test_what_a_task_called_is_found_from_above(family):
    pairs = [(caller and caller.id, called.id) for caller, called in family.iterdeps()]
    assert pairs == [(None, "top"), ("top", "left"), ("top", "right"), ("left", "leaf")]


@pytest.mark.covers("result.AsyncResult.collect", "result.AsyncResult.get_leaf")
def test_values_are_collected(family):
    assert [(result.id, value) for result, value in family.collect(timeout=1)] == [
        (name, name) for name in ("top", "left", "right", "leaf")
    ]
    assert family.get_leaf() == "leaf"


@pytest.mark.covers("result.AsyncResult.graph", "result.AsyncResult.build_graph")
def test_the_graph_of_a_result_can_be_drawn(family):
    assert family.graph is family.graph
    text = drawn(family.graph)
    assert '"top" -> "left"' in text
    assert '"left" -> "leaf"' in text
    assert family.build_graph().topsort()[-1] == "top"


@pytest.mark.covers("result.AsyncResult.iterdeps", "result.AsyncResult.build_graph", "exceptions.IncompleteStream")
def test_what_has_not_ended_is_an_incomplete_stream(app, family):
    app.results.forget(["leaf"])
    with pytest.raises(IncompleteStream):
        list(family.iterdeps())
    with pytest.raises(IncompleteStream):
        family.build_graph()
    assert len(list(family.iterdeps(intermediate=True))) == 4
    assert len(family.build_graph(intermediate=True)) == 4


def test_collecting_waits_for_what_has_not_ended(app, family):
    app.results.forget(["leaf"])
    timer = threading.Timer(0.02, app.results.store_state, ("leaf", "SUCCESS", "late"))
    timer.start()
    assert family.get_leaf() == "late"
    timer.join()


def test_a_store_that_leads_in_a_circle_leads_nowhere(app):
    for task_id, child in (("a", "b"), ("b", "a")):
        result = app.results.entry(task_id, "SUCCESS", 1)
        result.meta["children"] = [[[child, None], None]]
        app.results.store([result])
    assert [called.id for _, called in app.AsyncResult("a").iterdeps()] == ["a", "b", "a"]
