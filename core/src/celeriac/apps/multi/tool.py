"""What ``celeriac multi`` does, command by command."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TextIO

import click

from celeriac.apps.multi.arguments import NamespacedOptionParser
from celeriac.apps.multi.cluster import Cluster
from celeriac.apps.multi.nodes import MultiParser, expand
from celeriac.apps.multi.processes import signal_of
from celeriac.platforms import EX_FAILURE, EX_OK

if TYPE_CHECKING:
    from celeriac.apps.multi.nodes import Node

#: Options of these commands themselves that take no value.
_FLAGS: Final = frozenset({"-q", "--quiet", "-v", "--verbose", "-j", "--json", "--nosplash", "--no-color", "-C"})
#: Those that take one.
_VALUED: Final = frozenset(
    {"--range-prefix", "--prefix", "--suffix", "--executable", "--cmd", "--pidfile", "--logfile", "--hostname"}
)


class MultiTool:
    """Runs the commands, and prints how it goes.

    `cmd` starts each node that has no other, with `extra_args` (see `Node`), in the environment `env`.  `stdout` (or
    `fh`) and `stderr` are files to print to.  `takes_value` knows options of the worker (see `NamespacedOptionParser`).
    Each command takes the words behind it, and gives the exit code; it raises click's `ClickException` for words that
    make no sense and for what is not allowed.
    """

    def __init__(
        self,
        env: Mapping[str, str] | None = None,
        cmd: str | None = None,
        fh: TextIO | None = None,
        stdout: TextIO | None = None,
        stderr: TextIO | None = None,
        *,
        quiet: bool = False,
        verbose: bool = False,
        no_color: bool = False,
        extra_args: str = "",
        takes_value: Callable[[str], bool | None] | None = None,
    ) -> None:
        self.env = env
        self.cmd = cmd
        self.stdout = stdout or fh
        self.stderr = stderr
        self.quiet = quiet
        self.verbose = verbose
        self.no_color = no_color
        self._extra_args = extra_args
        self._takes_value = takes_value
        self._as_json = False
        #: What has become of each node, for JSON.
        self._told: dict[str, Any] = {}
        self.commands: Final[Mapping[str, Callable[..., int]]] = {
            "start": self.start,
            "stop": self.stop,
            "stopwait": self.stopwait,
            "stop_verify": self.stopwait,
            "restart": self.restart,
            "kill": self.kill,
            "show": self.show,
            "names": self.names,
            "get": self.get,
            "expand": self.expand,
        }

    def execute_from_commandline(self, argv: Sequence[str], cmd: str | None = None) -> int:
        """Run a command line, the name of the program first; the exit code.  What is wrong is printed in a line."""
        self.cmd = cmd or self.cmd
        try:
            _, command, *words = argv
        except ValueError:
            return self._fail(f"which command? One of: {', '.join(self.commands)}", EX_FAILURE)
        try:
            return self.call_command(command, words)
        except click.ClickException as error:
            return self._fail(error.format_message(), EX_FAILURE)

    def call_command(self, command: str, argv: Iterable[str]) -> int:
        """Run a command with these words behind it; the exit code."""
        if command not in self.commands:
            from celeriac.plugin.spelling import did_you_mean

            raise click.UsageError(f"multi has no command {command!r}.{did_you_mean(command, list(self.commands))}")
        code = self.commands[command](*argv)
        if self._as_json and self._told:
            self._echo(json.dumps(self._told), self.stdout)
        return code

    # -- starting and stopping ----------------------------------------------------------------------------------------

    def start(self, *argv: str) -> int:
        """Start each node in the background, also where another has failed."""
        return self._start(self.cluster_from_argv(argv))

    def _start(self, cluster: Cluster) -> int:
        self._say("> Starting nodes...")
        return EX_FAILURE if any(cluster.start()) else EX_OK

    def stop(self, *argv: str) -> int:
        """Send each node a signal, TERM unless one is named."""
        cluster, signal = self._with_signal(argv)
        cluster.stop(sig=signal)
        return EX_OK

    def stopwait(self, *argv: str) -> int:
        """Send each node a signal, and wait until all have ended."""
        cluster, signal = self._with_signal(argv)
        cluster.stopwait(sig=signal)
        return EX_OK

    def restart(self, *argv: str) -> int:
        """Stop all nodes, wait until they have ended, and start each."""
        cluster, signal = self._with_signal(argv)
        cluster.stopwait(sig=signal)
        return self._start(cluster)

    def kill(self, *argv: str) -> int:
        """End each node at once."""
        cluster = self.cluster_from_argv(argv)
        self.on_stopping_preamble(cluster)
        cluster.kill()
        return EX_OK

    # -- printing -----------------------------------------------------------------------------------------------------

    def show(self, *argv: str) -> int:
        """Print what would start each node."""
        nodes = self.cluster_from_argv(argv)
        return self._print(
            {node.name: list(node.argv_with_executable) for node in nodes}, [node.shown for node in nodes]
        )

    def names(self, *argv: str) -> int:
        """Print what each node is called."""
        names = [node.name for node in self.cluster_from_argv(argv)]
        return self._print(names, names)

    def get(self, *argv: str) -> int:
        """Print the options of one node: its name comes first."""
        given = self._parsed(argv)
        wanted = _first(given, "the name of a node")
        nodes = self._cluster(given)
        try:
            words = nodes.find(wanted).arguments
        except KeyError:
            raise click.UsageError(f"{wanted!r} is none of {', '.join(node.name for node in nodes)}") from None
        return self._print(list(words), [" ".join(words)])

    def expand(self, *argv: str) -> int:
        """Print a pattern for each node: it comes first."""
        given = self._parsed(argv)
        pattern = _first(given, "the pattern")
        found = [expand(pattern, node.name) for node in self._cluster(given)]
        return self._print(found, found)

    # -- what the words mean ------------------------------------------------------------------------------------------

    def cluster_from_argv(self, argv: Sequence[str], cmd: str | None = None) -> Cluster:
        """The nodes that these words name, with their options."""
        return self._cluster(self._parsed(argv), cmd)

    def _with_signal(self, argv: Sequence[str]) -> tuple[Cluster, int]:
        given = self._parsed(argv)
        signal = signal_of(given.take_signal() or "TERM")
        return self._cluster(given), signal

    def _parsed(self, argv: Sequence[str]) -> NamespacedOptionParser:
        given = NamespacedOptionParser(argv, self._knows)
        given.parse()
        self.quiet |= given.take("-q", "--quiet") is not None
        self.verbose |= given.take("-v", "--verbose") is not None
        self.no_color |= given.take("-C", "--no-color") is not None
        self._as_json = given.take("-j", "--json") is not None
        given.take("--nosplash")
        return given

    def _knows(self, option: str) -> bool | None:
        if option in _FLAGS:
            return False
        if option in _VALUED:
            return True
        return self._takes_value(option) if self._takes_value else None

    def _cluster(self, given: NamespacedOptionParser, cmd: str | None = None) -> Cluster:
        nodes = list(MultiParser(cmd or self.cmd, extra_args=self._extra_args).parse(given))
        if not nodes:
            raise click.UsageError("which workers? Name them, as in `celeriac multi start one two`, or say how many")
        return Cluster(
            nodes,
            env=self.env,
            on_stopping_preamble=self.on_stopping_preamble,
            on_send_signal=self.on_node_signal,
            on_still_waiting_for=self.on_still_waiting_for,
            on_node_shutdown_ok=self.on_node_shutdown_ok,
            on_node_status=self.on_node_status,
            on_node_signal=self.on_node_signal,
            on_node_signal_dead=self.on_node_down,
            on_node_down=self.on_node_down,
            on_child_spawn=self.on_child_spawn,
        )

    # -- how it goes --------------------------------------------------------------------------------------------------

    def on_stopping_preamble(self, nodes: Iterable[Node]) -> None:
        """Called before nodes are told to stop."""
        self._say("> Stopping nodes...")

    def on_node_signal(self, node: Node, sig: str) -> None:
        """Called before a node is sent a signal."""
        self._told[node.name] = {"signal": sig, "pid": node.pid}
        self._say(f"\t> {node.name}: {sig} -> {node.pid}")

    def on_node_down(self, node: Node) -> None:
        """Called for a node that does not run."""
        self._told[node.name] = {"signal": None, "pid": None}
        self._say(f"\t> {node.name}: DOWN")

    def on_still_waiting_for(self, nodes: Sequence[Node]) -> None:
        """Called before nodes are waited for."""
        self._say(f"> Waiting for {len(nodes)} {'node' if len(nodes) == 1 else 'nodes'}...")

    def on_node_shutdown_ok(self, node: Node) -> None:
        """Called when a node has ended that was waited for."""
        self._say(f"\t> {node.name}: {self._styled('OK', 'green')}")

    def on_child_spawn(self, node: Node, argstr: str, env: Mapping[str, str] | None) -> None:
        """Called before a node is started."""
        if self.verbose:
            self._say(f"\t+ {argstr}")

    def on_node_status(self, node: Node, retval: int) -> None:
        """Called when a node has been started, or could not be."""
        self._told[node.name] = {"exit_code": retval, "pid": node.pid, "output": node.output}
        if retval == EX_OK:
            self._say(f"\t> {node.name}: {self._styled('OK', 'green')}")
            return
        if self._as_json:
            return
        self._fail(f"\t> {node.name}: {self._styled('FAILED', 'red')} with exit code {retval}", retval)
        for line in node.output.splitlines():
            self._fail(f"\t    {line}", retval)

    def _say(self, text: str) -> None:
        if not self.quiet and not self._as_json:
            self._echo(text, self.stdout)

    def _fail(self, text: str, code: int) -> int:
        self._echo(text, self.stderr, err=True)
        return code

    def _print(self, found: Any, lines: Sequence[str]) -> int:
        self._echo(json.dumps(found) if self._as_json else "\n".join(lines), self.stdout)
        return EX_OK

    def _echo(self, text: str, file: TextIO | None, err: bool = False) -> None:
        click.echo(text, file=file, err=err, color=False if self.no_color else None)

    def _styled(self, word: str, colour: str) -> str:
        return click.style(word, fg=colour)


def _first(given: NamespacedOptionParser, what: str) -> str:
    """The first of the positional words, which is no node."""
    if not given.values:
        raise click.UsageError(f"{what} is missing")
    return given.values.pop(0)
