"""Write down what Celery 5.7 makes of pairs of canvases: where it is installed, this prints canvas-algebra.json."""

import json
import sys

from celery import Celery, chain, chord, group


def make(app):
    t = app.tasks["t"]
    u = app.tasks["u"]
    return {
        "task": lambda: t.s(1),
        "chain": lambda: chain(t.s(1), u.s(2)),
        "group": lambda: group(t.s(1), u.s(2)),
        "one-member group": lambda: group([t.s(1)]),
        "chord": lambda: chord([t.s(1), u.s(2)], t.s(3)),
        "empty group": lambda: group([]),
        "empty chain": chain,
        "chord without header": lambda: chord([], t.s(3)),
        "chain that ends with a group": lambda: chain(t.s(1), group(t.s(2), u.s(3))),
        "chord that ends with a group": lambda: chord([t.s(1), u.s(2)], group(t.s(3), u.s(4))),
        "chain that begins with a group": lambda: chain(group(t.s(1), u.s(2)), t.s(3)),
        "group of chains": lambda: group(chain(t.s(1), u.s(2)), t.s(3)),
        "group of groups": lambda: group(group(t.s(1), u.s(2)), t.s(3)),
        "xmap": lambda: t.map([1, 2]),
        "xstarmap": lambda: t.starmap([(1, 2)]),
        "chunks": lambda: t.chunks([(1, 2), (3, 4)], 1),
    }


def shape(sig):
    """The structure alone."""
    if sig is None:
        return None
    kind, task, kwargs = sig.get("subtask_type"), sig["task"], sig["kwargs"]
    if kind in ("chain", "group") or task in ("celery.chain", "celery.group"):
        return {kind: [shape(each) for each in kwargs["tasks"]]}
    if kind == "chord":
        header = kwargs["header"]
        members = header["kwargs"]["tasks"] if isinstance(header, dict) else header
        return {"chord": [shape(each) for each in members], "body": shape(kwargs["body"])}
    return f"{task}({', '.join(map(str, sig['args']))})"


def defined(app):
    """The app, with the two tasks of all these canvases."""
    for name in "tu":

        @app.task(name=name)
        def task(*args):
            return args

    app.finalize()
    return app


def table(app):
    """The shape of each pair, or the name of the error."""
    kinds = make(app)
    found = {}
    for left in kinds:
        for right in kinds:
            try:
                found[f"{left} | {right}"] = shape(json.loads(json.dumps(kinds[left]() | kinds[right]())))
            except Exception as error:  # noqa: BLE001  # that it is raised is what is noted
                found[f"{left} | {right}"] = type(error).__name__
    return found


if __name__ == "__main__":
    json.dump(table(defined(Celery("algebra", set_as_current=True))), sys.stdout, indent=1)
