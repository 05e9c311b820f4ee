"""One connection to the server: commands in, answers out, many in one round trip."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from redis import exceptions

from celeriac_redis.connection import new_connection
from celeriac_redis.errors import explain
from celeriac_redis.scripts import Command, in_full
from celeriac_redis.stream import Stream

if TYPE_CHECKING:
    from celeriac_redis.address import Address
    from celeriac_redis.options import LinkOptions
    from celeriac_redis.servers import Servers

_UNREACHABLE: Final = (exceptions.ConnectionError, exceptions.InvalidResponse, OSError)
#: How a node of a cluster says that it did nothing, because the keys are elsewhere, or on their way (MOVED is an ASK).
_ELSEWHERE: Final = (exceptions.AskError, exceptions.TryAgainError)
#: Seconds for which keys that are on their way are waited for, and between two looks.
_MOVING: Final = 2.0
_LOOK_AGAIN: Final = 0.05


class Link:
    """A connection that is made when it is needed, and made anew after an error; used by one thread at a time.

    Nothing is ever sent twice, but what a node of a cluster has said to be another's: what was on its way when the
    connection broke may or may not have happened.
    Errors of any kind are raised as `failure`.
    """

    def __init__(
        self,
        servers: Servers,
        options: LinkOptions,
        failure: type[Exception],
        on_connect: Callable[[Link], None] | None = None,
        busy_poll: float = 0.0,
    ) -> None:
        self._servers = servers
        self._options = options
        self._failure = failure
        self._on_connect = on_connect
        self._busy_poll = busy_poll
        self._stream: Stream | None = None
        self._address: Address | None = None

    @property
    def address(self) -> Address:
        """The server that is used, or will be tried next."""
        return self._servers.address if self._address is None else self._address

    @property
    def connected(self) -> bool:
        """Whether there is a connection, for all that is known."""
        return self._stream is not None

    def fileno(self) -> int:
        """The descriptor of the connection."""
        assert self._stream is not None
        return self._stream.fileno()

    def connect(self) -> None:
        """Connect, unless that is done; tries each address once."""
        if self._stream is not None:
            return
        for _ in range(self._servers.attempts - 1):
            try:
                self._connect()
            except self._failure:
                continue
            else:
                return
        self._connect()

    def _connect(self) -> None:
        self._address = None
        try:
            address = self._servers.locate()
        except (exceptions.RedisError, OSError) as error:
            raise self._failure(explain(error, self.address)) from error
        try:
            stream = Stream(new_connection(address, self._options), self._busy_poll)
        except (exceptions.RedisError, OSError) as error:
            self._servers.failed(address)
            raise self._failure(explain(error, address)) from error
        self._address = address
        self._stream = stream
        if self._on_connect is not None:
            try:
                self._on_connect(self)
            except BaseException:
                self.close()
                raise

    def send(self, *commands: Command) -> None:
        """Send without waiting for answers, which are then to be taken with `read`."""
        if self._stream is None:
            self.connect()
        assert self._stream is not None
        try:
            self._stream.write(commands)
        except _UNREACHABLE as error:
            raise self._broken(error) from error

    def read(self) -> Any:
        """The next answer; an error of the server is returned as an exception of redis-py's."""
        stream = self._stream
        if stream is None:
            raise self._failure(f"Redis at {self.address}: the connection is closed")
        try:
            answer = stream.read()
        except _UNREACHABLE as error:
            raise self._broken(error) from error
        except BaseException:  # the rest of the answer would be taken for the next
            self.close()
            raise
        if isinstance(answer, exceptions.ReadOnlyError):
            self.close()  # the primary has moved; the next connection finds it
        return answer

    def waiting(self, timeout: float = 0.0) -> bool:
        """Whether `read` would find something (an error, too), within `timeout` seconds."""
        if self._stream is None:
            return True
        try:
            return self._stream.waiting(timeout)
        except _UNREACHABLE as error:
            raise self._broken(error) from error

    def try_all(self, *commands: Command) -> list[Any]:
        """The answers to all commands, in one round trip; a refused one is answered by the server's error."""
        answers = self._exchange(commands)
        self._pursue(commands, answers)
        return answers

    def _exchange(self, commands: Sequence[Command]) -> list[Any]:
        # Whatever is there unasked, if only the end: the server has closed the connection while nobody looked.
        if self._stream is not None and self._stream.disturbed():
            self.close()
        if self._stream is None:
            self.connect()
        assert self._stream is not None
        try:
            answers = self._stream.exchange(commands)
            for number, answer in enumerate(answers):
                if isinstance(answer, exceptions.RedisError):
                    answers[number] = self._reconsidered(commands[number], answer)
        except _UNREACHABLE as error:
            raise self._broken(error) from error
        except BaseException:
            # A time limit or Ctrl-C may strike between the answers: those left would be taken for the next ones.
            self.close()
            raise
        return answers

    def _reconsidered(self, command: Command, error: exceptions.RedisError) -> Any:
        """The answer to a command that the server has refused by `error`, after what can be done about it."""
        if isinstance(error, exceptions.NoScriptError):
            self.send(in_full(command))
            return self.read()
        if isinstance(error, exceptions.ReadOnlyError):
            self.close()  # the primary has moved; the next connection finds it
        return error

    def _pursue(self, commands: Sequence[Command], answers: list[Any]) -> None:
        """Repeat what a node of a cluster has not done, where its keys have gone to."""
        monotonic_deadline = time.monotonic() + _MOVING
        while again := _undone(commands, answers):
            error = next(answers[number] for number in again if isinstance(answers[number], _ELSEWHERE))
            if time.monotonic() >= monotonic_deadline:
                return
            if isinstance(error, exceptions.MovedError):
                self.close()
                self._servers.moved(error.host, error.port)
            else:
                time.sleep(_LOOK_AGAIN)  # keys are moved one by one; a script needs all of them in one place
            for number, answer in zip(again, self._exchange([commands[number] for number in again]), strict=True):
                answers[number] = answer

    def ask(self, *commands: Command) -> list[Any]:
        """The answers to all commands, in one round trip.  Raises when one of them was refused."""
        answers = self._exchange(commands)
        for answer in answers:
            if isinstance(answer, exceptions.RedisError):
                break
        else:
            return answers
        self._pursue(commands, answers)
        for answer in answers:
            if isinstance(answer, exceptions.RedisError):
                raise self.refused(answer)
        return answers

    def refused(self, error: Exception) -> Exception:
        """The error to raise for an answer that is one."""
        return self._failure(explain(error, self.address))

    def close(self) -> None:
        """Close the connection; the next use opens another.  Harmless when repeated, and in a forked child."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def _broken(self, error: BaseException) -> Exception:
        failure = self._failure(explain(error, self.address))
        self._servers.failed(self.address)
        self.close()
        return failure


def _undone(commands: Sequence[Command], answers: Sequence[Any]) -> list[int]:
    """Which commands to repeat: those that were for another node, and what makes sense only together with them."""
    refused = {number for number, answer in enumerate(answers) if isinstance(answer, _ELSEWHERE)}
    if refused and any(command[0] == "MULTI" for command in commands):
        return list(range(len(commands)))
    before = {number - 1 for number in refused if number and commands[number - 1][:2] == ("CLIENT", "CACHING")}
    return sorted(refused | before)
