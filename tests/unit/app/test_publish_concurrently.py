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


def test_a_thread_that_uses_an_app_while_another_finalizes_it_waits_until_it_is_whole(app):
    begun, finish = threading.Event(), threading.Event()

    def packages():
        begun.set()
        assert finish.wait(10)
        return []

    @app.task(name="own")
    def own():
        pass

    app.autodiscover_tasks(packages)
    seen = []

    def use():
        tasks = app.tasks
        seen.append((finish.is_set(), "celery.map" in tasks, tasks["own"].acks_late is not None))

    threads = [threading.Thread(target=use) for _ in range(3)]
    threads[0].start()
    assert begun.wait(10)
    for thread in threads[1:]:
        thread.start()
    threads[1].join(0.1)  # it would be through by now if it did not wait
    finish.set()
    for thread in threads:
        thread.join(10)
    assert seen == [(True, True, True)] * 3


PLAIN = """
import os
from celeriac import Celery
from kombu.transport import memory

class Transport(memory.Transport):
    opened = 0
    def establish_connection(self):
        type(self).opened += 1
        return super().establish_connection()

app = Celery("forking", broker="plain://")
app.plugins.register_driver("broker", "plain", Transport)
app.send_task("t")
app.send_task("t")
assert Transport.opened == 1
child = os.fork()
app.send_task("t")
assert Transport.opened == (2 if child == 0 else 1), (child, Transport.opened)
if child == 0:
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
app.close()
"""


def test_a_child_leaves_the_connections_of_its_parent_alone_whatever_the_transport(spawn, monkeypatch):
    monkeypatch.setenv("CELERIAC_PLUGINS_ALLOW", "memory")
    program = spawn(sys.executable, "-c", PLAIN)
    assert program.wait() == 0, program.output()
