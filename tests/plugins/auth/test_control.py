"""Remote control among those who sign: commands and answers, and what becomes of those of strangers."""

from __future__ import annotations

import json
import time

import pytest
from kombu import Exchange, Producer

from celeriac.app.mail_codec import MailCodec
from celeriac.exceptions import ImproperlyConfigured
from celeriac_auth.commands import FIELD, MAX_AGE, CommandRights, FreshCommands
from celeriac_auth.serializer import CONTENT_TYPE


@pytest.fixture
def signing(make_app, make_signer):
    return make_app(make_signer(), security_sign_headers=True)


@pytest.fixture
def post(signing):
    """Return ``post(data, content_type)``: puts bytes where commands go."""

    def publish(data, content_type):
        with signing.connection_for_write() as connection:
            exchange = Exchange("celery.pidbox", type="fanout", durable=False)
            Producer(connection.channel()).publish(
                data, exchange=exchange, declare=[exchange], content_type=content_type, content_encoding="utf-8"
            )

    return publish


@pytest.mark.parametrize("signs_headers", [False, True])
def test_commands_and_answers_are_signed(make_app, make_signer, start_worker, signs_headers):
    app = make_app(make_signer(), security_sign_headers=signs_headers)
    start_worker(app, hostname="one@here")
    assert app.control.ping(timeout=10, limit=1) == [{"one@here": {"ok": "pong"}}]
    assert app.control.inspect(["one@here"], timeout=10).stats()["one@here"]["pid"] > 0
    app.control.revoke("an-id")
    assert app.control.inspect(["one@here"], timeout=10).revoked() == {"one@here": ["an-id"]}


def test_a_command_of_somebody_who_does_not_sign_is_not_obeyed(signing, start_worker, post, wait_until, caplog):
    worker = start_worker(signing, hostname="one@here")
    post(json.dumps({"method": "revoke", "arguments": {"task_id": "x"}, "destination": None}), "application/json")
    wait_until(lambda: "A message of remote control is refused" in caplog.text)
    assert "accept_content does not name 'json'" in caplog.text
    assert "x" not in worker.consumer.state.revocations.ids


def test_a_command_that_comes_twice_is_obeyed_once(signing, start_worker, post, wait_until, caplog):
    worker = start_worker(signing, hostname="one@here")
    command = {"method": "revoke", "arguments": {"task_id": "x"}, "destination": None}
    _, _, data = MailCodec(signing).encode_command(command)
    post(data, CONTENT_TYPE)
    post(data, CONTENT_TYPE)
    wait_until(lambda: "this is a copy of it" in caplog.text)
    assert caplog.text.count("A message of remote control is refused") == 1
    assert "x" in worker.consumer.state.revocations.ids


@pytest.mark.parametrize("signs_headers", [False, True])
def test_only_those_who_may_command_are_obeyed(make_app, make_signer, start_worker, wait_until, caplog, signs_headers):
    # Given a fleet in which the operators and the workers may command, and a shop that sends tasks
    ops, shop, one = make_signer("ops"), make_signer("shop"), make_signer("worker-1")
    fleet = {"security_command_signers": ["CN=ops", "worker-? *"], "security_sign_headers": signs_headers}
    worker = start_worker(make_app(one, **fleet), hostname="one@here")
    # When the shop commands, which does not even know that it may not
    make_app(shop, security_sign_headers=signs_headers).control.revoke("by-shop")
    wait_until(lambda: "'CN=shop' may not command here (security_command_signers)" in caplog.text)
    # Then only the operator is obeyed
    operator = make_app(ops, **fleet)
    operator.control.revoke("by-ops")
    assert operator.control.inspect(["one@here"], timeout=10).revoked() == {"one@here": ["by-ops"]}
    assert "by-shop" not in worker.consumer.state.revocations.ids
    assert "Workers refuse commands of this process" not in caplog.text


def test_who_may_not_command_is_told_of_it_where_the_settings_are_known(make_app, make_signer, caplog):
    app = make_app(make_signer("shop"), security_command_signers=["CN=ops"])
    app.control.revoke("x")
    app.control.revoke("y")
    assert caplog.text.count("security_command_signers does not name its certificate, CN=shop") == 1


def test_names_of_signers_without_signing_are_refused(make_app):
    app = make_app(set_up=False, task_serializer="json", event_serializer="json", security_command_signers=["CN=ops"])
    with pytest.raises(ImproperlyConfigured):
        app.control.revoke("x")


class TestCommandRights:
    @pytest.fixture
    def content(self, make_app, make_signer):
        return make_app(make_signer("ops", serial=7)).serializers.get("auth").content

    @pytest.mark.parametrize(
        ("patterns", "may"),
        [
            (["CN=ops"], True),
            (["ops 7"], True),
            (["x", "CN=*"], True),
            (["CN=op"], False),
            (["cn=ops"], False),
            ([], False),
        ],
    )
    def test_names_are_globs_of_the_whole_name(self, content, patterns, may):
        said = CommandRights(content, patterns).check({}, CONTENT_TYPE, content.dumps({"method": "ping"}))
        assert (said is None) is may

    def test_unsigned_ones_are_refused(self, content):
        assert "is not signed" in CommandRights(content, ["*"]).check({}, "application/json", b"{}")


def test_an_answer_of_somebody_who_does_not_sign_is_no_answer(make_app, make_signer, start_worker, caplog):
    # Given a worker that takes part in the fleet's control, and whose answers are in plain JSON
    trusting = make_app(make_signer("other"), set_up=False, task_serializer="json", event_serializer="json")
    trusting.conf.accept_content = ["json", "auth"]
    signing = make_app(make_signer())
    trusting.serializers.put(signing.serializers.get("auth"))
    start_worker(trusting, hostname="plain@here", without_mingle=True, without_gossip=True)
    # Then whoever asks does not believe them
    assert signing.control.ping(timeout=1) in (None, [])
    assert "A message of remote control is refused, and dropped" in caplog.text


class TestFreshCommands:
    @pytest.fixture
    def fresh(self):
        return FreshCommands(skew=60)

    @pytest.fixture
    def body(self, fresh):
        body = {"method": "ping"}
        fresh.mark(body)
        return body

    def test_each_counts_once(self, fresh, body):
        assert fresh.check(body, CONTENT_TYPE) is None
        assert "this is a copy of it" in fresh.check(body, CONTENT_TYPE)
        assert FreshCommands(60).check(body, CONTENT_TYPE) is None  # another worker

    def test_unsigned_ones_are_refused_whatever_they_say(self, fresh, body):
        assert "is not signed" in fresh.check(body, "application/json")

    @pytest.mark.parametrize(
        "mark",
        [
            None,
            1,
            [],
            {},
            {"at": "now", "nonce": "n"},
            {"at": 1.0},
            {"at": float("nan"), "nonce": "n"},
            {"at": 1.0, "nonce": "n" * 65},
        ],
    )
    def test_those_that_do_not_say_when_they_were_sent_are_refused(self, fresh, mark):
        assert "does not say when it was sent" in fresh.check({"method": "ping", FIELD: mark}, CONTENT_TYPE)
        assert "does not say when it was sent" in fresh.check(mark, CONTENT_TYPE)

    def test_old_ones_and_those_of_the_future_are_refused(self, fresh, body):
        now = time.time()
        for seconds, said in [(-MAX_AGE - 70, "which is too long"), (70, "in the future")]:
            body[FIELD]["at"] = now + seconds
            assert said in fresh.check(body, CONTENT_TYPE)

    def test_those_that_were_sent_before_the_worker_was_there_are_refused(self, fresh, body):
        body[FIELD]["at"] = time.time() - 70
        assert "before this process was there" in fresh.check(body, CONTENT_TYPE)
