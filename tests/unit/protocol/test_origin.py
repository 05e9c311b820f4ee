"""Who speaks."""

from __future__ import annotations

import os
import socket
import sys
import threading
import uuid
from typing import Any

import kombu.common
import pytest

from celeriac.protocol.origin import _node, hostname, nodename, oid_from, origin


def test_the_origin_names_process_and_host() -> None:
    assert origin() == f"gen{os.getpid()}@{socket.gethostname()}"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_the_origin_of_a_forked_child_is_the_childs() -> None:
    origin()
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writer, origin().encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as stream:
        told = stream.read()
    os.waitpid(pid, 0)
    assert told == f"gen{pid}@{hostname()}"


def test_a_nodename_is_name_at_host() -> None:
    assert nodename("w1", "box") == "w1@box"
    assert nodename(host="box") == "celery@box"
    assert nodename("w1@other", "box") == "w1@other"
    assert nodename() == f"celery@{hostname()}"


def test_an_oid_stays_the_same_in_its_thread_and_differs_from_others() -> None:
    thing, other = object(), object()
    in_thread: list[str] = []
    thread = threading.Thread(target=lambda: in_thread.append(oid_from(thing)))
    thread.start()
    thread.join()
    assert oid_from(thing) == oid_from(thing)
    assert len({oid_from(thing), oid_from(other), *in_thread}) == 3


def test_an_oid_without_threads_is_the_same_in_all() -> None:
    thing = object()
    in_thread: list[str] = []
    thread = threading.Thread(target=lambda: in_thread.append(oid_from(thing, threads=False)))
    thread.start()
    thread.join()
    assert in_thread == [oid_from(thing, threads=False)]


@pytest.mark.parametrize("threads", [True, False])
def test_an_oid_is_computed_as_kombu_computes_it(threads: bool) -> None:
    thing = object()
    ident = threading.get_ident() if threads else 0
    assert oid_from(thing, threads=threads) == kombu.common.generate_oid(_node(), os.getpid(), ident, thing)


def test_an_oid_exists_where_md5_is_forbidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any) -> uuid.UUID:
        raise ValueError("disabled for FIPS")

    monkeypatch.setattr(sys.modules[oid_from.__module__], "uuid3", refused)
    thing = object()
    assert uuid.UUID(oid_from(thing)).version == 5
    assert oid_from(thing) == oid_from(thing)
