"""The app of the canvas laws, in the test and in a worker of its own: each call is a line of a file that both write."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType

from celeriac import Celery

CANVAS = Path(__file__).parent.parent / "unit" / "canvas"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"celeriac_laws_{name}", CANVAS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


shared = load("conftest")


class FileDiary:
    def note(self, *what):
        line = shared.without_ids(what).replace("\n", " ") + "\n"
        with open(os.environ["CANVAS_DIARY"], "ab", buffering=0) as file:
            file.write(line.encode())


app = Celery("canvases", task_protocol_compat=os.environ.get("CANVAS_FORM") != "short")
if "CANVAS_REDIS" in os.environ:
    options = {"global_keyprefix": os.environ["CANVAS_PREFIX"]}
    app.conf.update(broker_url=os.environ["CANVAS_REDIS"], result_backend=os.environ["CANVAS_REDIS"])
    app.conf.update(broker_transport_options=options, result_backend_transport_options=options)
tasks = shared.define_tasks(app, FileDiary())


@app.task(name="die")
def die():
    os._exit(7)


tasks.die = die
