"""Waiting for results."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Final

from redis.exceptions import RedisError

from celeriac.contracts import ResultWatcher
from celeriac.contracts.polling import reading
from celeriac.exceptions import StoreUnavailable

if TYPE_CHECKING:
    from celeriac_redis.link import Link

#: Channels of one command.
_AT_ONCE: Final = 500
#: Seconds after which a silent server is asked whether it is there.
_SILENCE: Final = 15.0


class RedisResultWatcher(ResultWatcher):
    """One subscription: the server sends each result on the channel of its key.

    What was stored before the subscription, or while its connection was lost, is read with `fetch`.
    """

    shareable: ClassVar[bool] = True

    def __init__(
        self,
        link: Link,
        channel_of: Callable[[str], str],
        decode: Callable[[bytes], dict[str, Any]],
        fetch: Callable[[list[str]], Iterable[dict[str, Any]]],
    ) -> None:
        self._link = link
        self._channel_of = channel_of
        self._decode = decode
        self._fetch = fetch
        #: Channel -> task id, for all that is watched, and for those that the server has been told of.
        self._watched: dict[bytes, str] = {}
        self._subscribed: set[bytes] = set()
        self._unread: set[str] = set()
        self._closed = False
        self._asked = False
        self._woken, self._waker = socket.socketpair()
        self._woken.setblocking(False)
        self._waker.setblocking(False)

    # -- what is watched --------------------------------------------------------------------------

    def add(self, task_ids: Iterable[str]) -> None:
        for task_id in task_ids:
            channel = self._channel_of(task_id).encode()
            if channel not in self._watched:
                self._watched[channel] = task_id
                self._unread.add(task_id)

    def discard(self, task_ids: Iterable[str]) -> None:
        for task_id in task_ids:
            self._watched.pop(self._channel_of(task_id).encode(), None)
            self._unread.discard(task_id)

    def wake(self) -> None:
        try:
            self._waker.send(b"!")
        except OSError:  # closed, or full of earlier calls
            return

    # -- waiting ----------------------------------------------------------------------------------

    def wait(self, timeout: float | None) -> list[dict[str, Any]]:
        if self._closed:
            raise StoreUnavailable("this watcher was closed")
        monotonic_deadline = None if timeout is None else time.monotonic() + timeout
        found = self._subscribe()
        found += self._messages()
        if self._unread:
            wanted = list(self._unread)
            found += self._fetch(wanted)
            self._unread.difference_update(wanted)  # not before: had that failed, the next call reads them
        while not found:
            left = None if monotonic_deadline is None else monotonic_deadline - time.monotonic()
            if left is not None and left <= 0:
                break
            if self._sleep(left):
                break
            found += self._messages()
        return found

    def _subscribe(self) -> list[dict[str, Any]]:
        """Have the server send what is watched; what it has sent by the time it has agreed."""
        link = self._link
        if not link.connected:
            self._subscribed.clear()
            self._asked = False
            link.connect()
            self._unread.update(self._watched.values())
        found: list[dict[str, Any]] = []
        new = [channel for channel in self._watched if channel not in self._subscribed]
        old = [channel for channel in self._subscribed if channel not in self._watched]
        for name, channels in (("SUBSCRIBE", new), ("UNSUBSCRIBE", old)):
            for start in range(0, len(channels), _AT_ONCE):
                some = channels[start : start + _AT_ONCE]
                link.send((name, *some))
                missing = len(some)
                while missing:
                    answer = self._read()
                    if answer[0] == name.lower().encode():
                        missing -= 1
                    else:
                        found += self._told(answer)
        self._subscribed = set(self._watched)
        return found

    def _messages(self) -> list[dict[str, Any]]:
        return [meta for answer in self._answers() for meta in self._told(answer)]

    def _answers(self) -> Iterator[list[Any]]:
        while self._link.waiting():
            yield self._read()

    def _read(self) -> list[Any]:
        answer = self._link.read()
        if isinstance(answer, RedisError):
            raise self._link.refused(answer)
        self._asked = False
        return answer if isinstance(answer, list) else [answer]

    def _told(self, answer: list[Any]) -> list[dict[str, Any]]:
        if answer[0] != b"message":
            return []
        task_id = self._watched.get(answer[1])
        if task_id is None:
            return []
        self._unread.discard(task_id)
        return [self._decode(answer[2])]

    def _sleep(self, seconds: float | None) -> bool:
        """Sleep until something comes; whether that was `wake`."""
        # A subscribed connection accepts nothing else: without any subscription there is nothing to listen to.
        poll = reading(self._woken.fileno(), self._link.fileno())
        pause = _SILENCE if seconds is None else min(seconds, _SILENCE)
        ready = poll.poll(pause * 1000)
        if not ready and pause == _SILENCE:
            if self._asked:
                self._link.close()
                raise StoreUnavailable(f"Redis at {self._link.address}: no answer for {_SILENCE:g} s")
            self._asked = True
            self._link.send(("PING",))
        woken = False
        if any(descriptor == self._woken.fileno() for descriptor, _ in ready):
            try:
                while self._woken.recv(4096):
                    woken = True
            except OSError:  # that was all
                return woken
        return woken

    def close(self) -> None:
        self._closed = True
        self._link.close()
        self._woken.close()
        self._waker.close()
