"""Several nodes, started and stopped together."""

from __future__ import annotations

import signal
from collections import UserList
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from celeriac.apps.multi.processes import signal_of, wait_for_end

if TYPE_CHECKING:
    from celeriac.apps.multi.nodes import Node

    _Nodes = UserList[Node]
else:
    _Nodes = UserList

#: Seconds between two looks whether a process has ended.
_LOOK: Final = 0.05
_Callback = Callable[..., object] | None


class Cluster(_Nodes):
    """Nodes of this machine, which tell how it goes through functions.

    Each `on_...` is called with a node; but `on_stopping_preamble` with all nodes, `on_still_waiting_for` and
    `on_still_waiting_progress` with a list of those that have not ended, `on_still_waiting_end` with nothing.  Further
    arguments: `on_send_signal` and `on_node_signal`, which are called before it is sent, get the name of the signal
    (``TERM``), `on_node_status` the exit code, and those of children what `Node.start` says.  `env` is the environment
    of what is started.
    """

    def __init__(
        self,
        nodes: Iterable[Node],
        cmd: str | None = None,
        env: Mapping[str, str] | None = None,
        on_stopping_preamble: _Callback = None,
        on_send_signal: _Callback = None,
        on_still_waiting_for: _Callback = None,
        on_still_waiting_progress: _Callback = None,
        on_still_waiting_end: _Callback = None,
        on_node_start: _Callback = None,
        on_node_restart: _Callback = None,
        on_node_shutdown_ok: _Callback = None,
        on_node_status: _Callback = None,
        on_node_signal: _Callback = None,
        on_node_signal_dead: _Callback = None,
        on_node_down: _Callback = None,
        on_child_spawn: _Callback = None,
        on_child_signalled: _Callback = None,
        on_child_failure: _Callback = None,
    ) -> None:
        super().__init__(nodes)
        self.cmd = cmd
        self.env = env
        self.on_stopping_preamble = on_stopping_preamble
        self.on_send_signal = on_send_signal
        self.on_still_waiting_for = on_still_waiting_for
        self.on_still_waiting_progress = on_still_waiting_progress
        self.on_still_waiting_end = on_still_waiting_end
        self.on_node_start = on_node_start
        self.on_node_restart = on_node_restart
        self.on_node_shutdown_ok = on_node_shutdown_ok
        self.on_node_status = on_node_status
        self.on_node_signal = on_node_signal
        self.on_node_signal_dead = on_node_signal_dead
        self.on_node_down = on_node_down
        self.on_child_spawn = on_child_spawn
        self.on_child_signalled = on_child_signalled
        self.on_child_failure = on_child_failure

    # -- starting -----------------------------------------------------------------------------------------------------

    def start(self) -> list[int]:
        """Start each, also where another has failed; the exit codes."""
        return [self.start_node(node) for node in self]

    def start_node(self, node: Node) -> int:
        """Start one; the exit code."""
        _tell(self.on_node_start, node)
        code = node.start(self.env, self.on_child_spawn, self.on_child_signalled, self.on_child_failure)
        _tell(self.on_node_status, node, code)
        return code

    def restart(self, sig: int = signal.SIGTERM) -> list[int]:
        """Stop all, wait until they have ended, and start each, also those that did not run; the exit codes."""
        self.stopwait(sig=sig)
        found = []
        for node in self:
            _tell(self.on_node_restart, node)
            found.append(self.start_node(node))
        return found

    # -- stopping -----------------------------------------------------------------------------------------------------

    def send_all(self, sig: int) -> None:
        """Send a signal to each that runs."""
        for node in self.getpids(self.on_node_signal_dead):
            _tell(self.on_node_signal, node, _name(sig))
            node.send(sig, self.on_node_signal_dead)

    def kill(self) -> None:
        """End each at once."""
        self.send_all(signal.SIGKILL)

    def stop(
        self, retry: float | None = None, callback: Callable[[Node], object] | None = None, sig: int = signal.SIGTERM
    ) -> None:
        """Send each a signal; with `retry` wait until all have ended, looking every so many seconds.

        `callback` is called with each node that did not run, or has ended while this waited.
        """
        self.shutdown_nodes(self, sig, retry, callback)

    def stopwait(
        self, retry: float = _LOOK, callback: Callable[[Node], object] | None = None, sig: int = signal.SIGTERM
    ) -> None:
        """Send each a signal, and wait until all have ended."""
        self.shutdown_nodes(self, sig, retry, callback)

    def shutdown_nodes(
        self,
        nodes: Iterable[Node],
        sig: int = signal.SIGTERM,
        retry: float | None = None,
        callback: Callable[[Node], object] | None = None,
    ) -> None:
        """Send these a signal; with `retry` wait until all have ended, looking every so many seconds."""
        nodes = list(nodes)
        _tell(self.on_stopping_preamble, nodes)
        left: dict[int, Node] = {}
        for node in nodes:
            # Before the signal: the node takes its pid file away.
            pid = node.pid
            if pid is not None:
                _tell(self.on_send_signal, node, _name(sig))
            if pid is not None and node.send(sig):
                left[pid] = node
            else:
                _tell(self.on_node_down, node)
                _tell(callback, node)
        if retry is not None and left:
            self._wait(left, retry, callback)

    def _wait(self, left: dict[int, Node], retry: float, callback: Callable[[Node], object] | None) -> None:
        _tell(self.on_still_waiting_for, list(left.values()))

        def ended(pid: int) -> None:
            node = left.pop(pid)
            _tell(self.on_node_shutdown_ok, node)
            _tell(callback, node)
            _tell(self.on_still_waiting_progress, list(left.values()))

        wait_for_end(list(left), retry, ended)
        _tell(self.on_still_waiting_end)

    # -- finding ------------------------------------------------------------------------------------------------------

    def find(self, name: str) -> Node:
        """The node of that name, with or without its host.  Raises KeyError."""
        for node in self:
            if name in {node.name, node.name.partition("@")[0]}:
                return node
        raise KeyError(name)

    def getpids(self, on_down: Callable[[Node], object] | None = None) -> Iterator[Node]:
        """Those that run; `on_down` is called with each other."""
        for node in self:
            if node.alive():
                yield node
            else:
                _tell(on_down, node)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}({len(self)}): {[node.name for node in self]}>"


def _tell(callback: Callable[..., object] | None, *args: Any) -> None:
    if callback is not None:
        callback(*args)


def _name(sig: int) -> str:
    return signal_of(sig).name.removeprefix("SIG")
