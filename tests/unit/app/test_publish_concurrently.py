"""Sending from many threads and from forked processes."""

from __future__ import annotations

import sys
import threading

PROGRAM = """
import os, sys
from celeriac import Celery

app = Celery("forking", broker=sys.argv[1], backend=sys.argv[1])

@app.task(name="t")
def job(x): pass

job.delay("parent, before")
child = os.fork()
job.delay("child" if child == 0 else "parent, after")
print("child" if child == 0 else "parent", os.getpid(), job.app.thread_oid, flush=True)
if child == 0:
    app.close()
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
job.delay("parent, at last")
app.close()
"""


def test_a_forked_child_sends_over_a_connection_of_its_own(make_app, claim, spawn, tmp_path, monkeypatch):
    monkeypatch.setenv("CELERIAC_PLUGINS_ALLOW", "sqlite")
    url = f"sqlite:///{tmp_path}/queue.db"
    program = spawn(sys.executable, "-c", PROGRAM, url)
    assert program.wait() == 0, program.output()
    app = make_app(broker=url, backend=None)
    found = claim(app)
    reprs = sorted(message.headers["argsrepr"] for message in found)
    assert reprs == ["('child',)", "('parent, after',)", "('parent, at last',)", "('parent, before',)"]
    told = dict(line.split(maxsplit=1) for line in program.output().splitlines())
    by_repr = {message.headers["argsrepr"]: message for message in found}
    for who, args in (("parent", "('parent, after',)"), ("child", "('child',)")):
        pid, oid = told[who].split()
        assert by_repr[args].headers["origin"].startswith(f"gen{pid}@")
        assert by_repr[args].properties["reply_to"] == oid
    assert told["parent"].split()[1] != told["child"].split()[1]


def test_many_threads_send_through_one_app_and_each_has_its_own_address_for_replies(app, claim):
    @app.task(name="t")
    def job(thread, number):
        pass

    barrier = threading.Barrier(8)

    def send(thread):
        barrier.wait(10)
        for number in range(50):
            job.delay(thread, number)

    switch = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    threads = [threading.Thread(target=send, args=(thread,)) for thread in range(8)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    finally:
        sys.setswitchinterval(switch)
    found = claim(app)
    assert len({message.headers["id"] for message in found}) == 400
    addresses = {}
    for message in found:
        thread = message.headers["argsrepr"].split(",")[0]
        addresses.setdefault(thread, set()).add(message.properties["reply_to"])
    assert all(len(of_thread) == 1 for of_thread in addresses.values())
    assert len(set.union(*addresses.values())) == 8


def test_many_threads_that_use_a_new_app_first_find_it_whole(make_app):
    for _ in range(20):
        app = make_app()

        @app.task(name="own", queue="slow")
        def own():
            pass

        barrier = threading.Barrier(4)
        seen = []

        def use(app=app, barrier=barrier, seen=seen):
            barrier.wait(10)
            tasks = app.tasks
            seen.append(("own" in tasks, "celery.map" in tasks, tasks["own"].acks_late is not None))

        threads = [threading.Thread(target=use) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert seen == [(True, True, True)] * 4
