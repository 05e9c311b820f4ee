"""Commands and options completed with the Tab key, in the shells themselves, set up as the how-to says."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to" / "command-line.md"
STARTS = {
    "bash": ["bash", "--noprofile", "--norc", "-i"],
    "zsh": ["zsh", "-f", "-i"],
    "fish": ["fish", "--no-config", "-i"],
}
#: Of zsh the how-to expects that its completion is there, as it is with any configuration.
FIRST = {"zsh": "autoload -U compinit && compinit -u"}


class Terminal:
    """A shell on a terminal: what is typed, and what is seen."""

    def __init__(self, argv, environment):
        self.pid, self._descriptor = pty.fork()
        if self.pid == 0:
            os.execvpe(argv[0], argv, environment)
        self.seen = ""

    def type(self, text):
        os.write(self._descriptor, text.encode())

    def see(self, pattern, seconds=40.0):
        """Wait until what is seen has the pattern; forget what came until then."""
        deadline = time.monotonic() + seconds
        while not (found := re.search(pattern, self.seen)):
            ready, _, _ = select.select([self._descriptor], [], [], max(deadline - time.monotonic(), 0.0))
            if not ready:
                pytest.fail(f"{pattern!r} was not seen within {seconds:g} s, but {self.seen!r}")
            self.seen += os.read(self._descriptor, 65536).decode(errors="replace")
        self.seen = self.seen[found.end() :]

    def close(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._descriptor)


@pytest.fixture(params=STARTS)
def shell(request, tmp_path):
    """A shell that completes ``celeriac`` by the line of the how-to."""
    name = request.param
    if shutil.which(name) is None:
        pytest.skip(f"needs {name}, which is not installed: apt install {name}")
    [line] = re.findall(rf"^\| {name} \| `(.*)` \|$", HOW_TO.read_text(), re.MULTILINE)
    told = re.search(r"eval \"\$\(.*?\)\"|_CELERIAC_COMPLETE=fish_source celeriac", line)[0]
    environment = {
        "HOME": str(tmp_path),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "TERM": "xterm",
        "LANG": "C.UTF-8",
    }
    terminal = Terminal(STARTS[name], environment)
    terminal.type("echo be'gun'\n")
    terminal.see("begun")
    if name in FIRST:
        terminal.type(f"{FIRST[name]}\n")
    terminal.type(f"{told} | source\n" if name == "fish" else f"{told}\n")
    terminal.type("echo set'-up'\n")
    terminal.see("set-up")
    yield terminal
    terminal.close()


@pytest.mark.slow
def test_the_tab_key_completes_commands_and_options(shell):
    # Of what is typed, a part is typed by the shell
    shell.type("celeriac wor\t")
    shell.see("ker")
    shell.type("\x15")
    shell.type("celeriac beat sched\t")
    shell.see("ule")
    shell.type("\x15")
    shell.type("celeriac worker --concurr\t")
    shell.see("ency")
