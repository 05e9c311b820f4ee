"""Signed and sealed messages on each broker: what it makes of headers must be what was signed."""

from __future__ import annotations

import base64
import os
from uuid import uuid4

import pytest
from kombu import Connection

from celeriac import chain, group


@pytest.fixture(params=["memory", "sqlite", "redis", "rabbitmq"])
def fleet(request, make_app, make_signer, tmp_path):
    """An app that signs headers and seals, with a queue of its own on the broker."""
    kind, queue = request.param, f"auth-{uuid4().hex}"
    (tmp_path / "one.key").write_bytes(base64.b64encode(os.urandom(32)))
    options = {}
    if kind == "redis":
        url = request.getfixturevalue("redis_url")
        prefix = {"global_keyprefix": f"{queue}:"}
        options = {"broker_transport_options": prefix, "result_backend_transport_options": prefix}
    elif kind == "rabbitmq":
        url = request.getfixturevalue("rabbitmq_url")
        options = {"backend": f"sqlite:///{tmp_path}/results.db"}
    else:
        url = f"sqlite:///{tmp_path}/queue.db" if kind == "sqlite" else f"memory://{queue}"
    app = make_app(
        make_signer(),
        broker=url,
        **{"backend": url, **options},
        task_default_queue=queue,
        control_exchange=queue,
        event_exchange=f"{queue}-events",
        security_sign_headers=True,
        security_encrypt="one",
        security_encryption_keys=str(tmp_path / "one.key"),
    )
    yield app
    if kind == "redis":
        from redis import Redis

        with Redis.from_url(url) as server:
            for key in server.scan_iter(f"{queue}*", count=1000):
                server.delete(key)
    elif kind == "rabbitmq":
        with Connection(url) as connection:
            for name in (queue, f"{queue}.dlq"):
                connection.default_channel.queue_delete(name)
            for name in (queue, f"{queue}-events", f"{queue}.pidbox", f"reply.{queue}.pidbox"):
                connection.default_channel.exchange_delete(name)


def test_what_is_sent_runs_and_is_answered(fleet, start_worker, caplog):
    # Given a worker
    @fleet.task(name="proj.add", bind=True, acks_late=True)
    def add(self, x, y):
        if self.request.retries == 0 and (self.request.headers or {}).get("fails"):
            raise self.retry(countdown=0)
        return x + y

    start_worker(fleet, hostname="one@here", without_mingle=True)

    # When it is sent messages of every kind
    calls = [
        add.apply_async((1, 2)),
        add.apply_async((1, 2), countdown=0.2, expires=60, priority=5, headers={"a": {"b": [1, 2.5, None, "ü"]}}),
        add.apply_async((1, 2), headers={"fails": True}, compression="gzip", time_limit=50, shadow="plus"),
        add.apply_async((1, 2), stamped_headers=["order"], order="A1", link=add.s(1)),
        chain(add.s(0, 1), add.s(1), add.s(1)).delay(),
        group(add.s(1, 2), add.s(3, 0)).delay(),
        (group(add.s(1, 2), add.s(3, 0)) | fleet.signature("proj.sum")).delay(),
    ]
    fleet.task(name="proj.sum")(sum)

    # Then each runs
    assert [call.get(timeout=20) for call in calls] == [3, 3, 3, 3, 3, [3, 3], 6]
    assert fleet.control.ping(timeout=10, limit=1) == [{"one@here": {"ok": "pong"}}]
    assert "refused" not in caplog.text
