"""Frames of the size that was negotiated, and larger ones."""

from __future__ import annotations

import struct

import pytest
from amqp.exceptions import FrameError
from kombu import Connection

from celeriac_amqp.wire import _Inbox

METHOD, HEADER, BODY, HEARTBEAT = 1, 2, 3, 8
MOST = 131_072


class Frames(_Inbox):
    """What has been read."""

    def __init__(self, data):
        self._data = data


def head(kind, size):
    return struct.pack(">BHI", kind, 1, size)


@pytest.mark.parametrize("kind", [METHOD, BODY, HEARTBEAT])
def test_a_frame_that_is_too_large_is_refused_before_it_is_there(kind):
    assert Frames(head(kind, MOST - 8) + b"x").next_frame() is None  # which waits for the rest
    with pytest.raises(FrameError, match="a frame of 131073 bytes came, where 131072 were negotiated") as caught:
        Frames(head(kind, MOST - 7) + b"x").next_frame()
    assert caught.value.reply_code == 501


def test_a_content_header_may_be_larger_but_not_without_bound():
    large = head(HEADER, MOST) + bytes(MOST) + b"\xce"
    assert Frames(large).next_frame() == (HEADER, 1, bytes(MOST))
    with pytest.raises(FrameError, match="FRAME_ERROR"):
        Frames(head(HEADER, 2**32 - 1) + b"x").next_frame()


def test_what_was_negotiated_counts(connect, url):
    with Connection(url) as plain:
        plain.connect()
        negotiated = plain.connection.frame_max
    connection = connect(url)
    link = connection.transport_cls.consumer_lane(connection)._link
    wire = link.connect()
    assert wire.transport.frame_max == wire.frame_max == negotiated
    link.close()


def test_a_frame_that_is_too_large_ends_the_connection_which_is_made_anew(
    producer, consume, claim, queue, message, proxy, proxied, loop, caplog
):
    # Given a consumer
    lane = consume(queue, url=proxied)
    loop.calm()

    # When in place of a message there is a frame of four gigabytes, of which little has come
    proxy.instead = head(BODY, 2**32 - 1) + b"x"
    producer.publish([message(1, queue)])

    # Then the server is told what is wrong, so is the log with a remedy, and the message comes over a new connection
    (found,) = claim(lane, 1)
    assert found.body == b"1"
    told = b"FRAME_ERROR - a frame of 4294967303 bytes came, where 131072 were negotiated"
    assert b"\x00\x0a\x00\x32\x01\xf5" + bytes([len(told)]) + told in proxy.requests
    assert "FRAME_ERROR - a frame of 4294967303 bytes came" in caplog.text
    assert "the server, damages what it hands on" in caplog.text


def test_headers_to_which_the_server_has_added_arrive(producer, consume, claim, new_queue, message, monkeypatch):
    # Given a message whose headers just fit into a frame
    dead = new_queue()
    short = new_queue(x_message_ttl=1, x_dead_letter_exchange="", x_dead_letter_routing_key=dead.name)
    sizes = []
    received = _Inbox.next_frame

    def next_frame(self):
        frame = received(self)
        sizes.extend([] if frame is None else [len(frame[2])])
        return frame

    monkeypatch.setattr(_Inbox, "next_frame", next_frame)
    lane = consume(dead)
    producer.publish([message(1, short, headers={"id": "1", "long": "x" * (MOST - 200)})])

    # When the server moves it to another queue, and says so in the headers
    (found,) = claim(lane, 1)

    # Then it came in a frame that is larger than what was negotiated, and is read
    assert max(sizes) > MOST - 8
    assert len(found.headers["long"]) == MOST - 200
    assert found.headers["x-death"][0]["queue"] == short.name
