"""A live view of the cluster, for a terminal: it is drawn every so often, and obeys keys."""

from __future__ import annotations

import logging
import shutil
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, TextIO

from celeriac.events.dumper import printable
from celeriac.events.keys import Keyboard
from celeriac.events.snapshot import Polaroid
from celeriac.events.view import INFO, KEYS, RESULT, TRACEBACK, View, render, tasks_shown

if TYPE_CHECKING:
    from celeriac.events.state import State
    from celeriac.events.task import Task

__all__ = ["PlainScreen", "Screen"]

#: Another screen than that of the shell, without a cursor; and back.
_ENTER: Final = "\x1b[?1049h\x1b[?25l"
_LEAVE: Final = "\x1b[?25h\x1b[?1049l"
#: To the top left; what is left of a line, and of the screen.
_HOME: Final = "\x1b[H"
_REST_OF_LINE: Final = "\x1b[K"
_REST: Final = "\x1b[J"

_PAGES: Final = {"i": INFO, "enter": INFO, "t": TRACEBACK, "r": RESULT}
_STEPS: Final = {"down": 1, "j": 1, "up": -1, "k": -1, "page down": 10, "page up": -10, "home": -(10**6), "end": 10**6}


@dataclass(slots=True)
class _Question:
    """What is asked in the last line; `answer` is called with what is typed there."""

    text: str
    answer: Callable[[str], str]
    typed: str = ""
    is_yes_or_no: bool = False


class Screen(Polaroid):
    """A camera whose pictures are shown: the workers, and the tasks of which was heard last."""

    out: TextIO = sys.stdout
    has_colour: ClassVar[bool] = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.view = View(has_colour=self.has_colour)
        self._question: _Question | None = None
        self._keyboard = Keyboard(self.press)
        self._log = _Notices(self)

    # -- begin and end ------------------------------------------------------------------------------------------------

    def install(self) -> None:
        self.out.write(_ENTER)
        logging.getLogger("celeriac").addHandler(self._log)
        if self._keyboard.start():
            self.view.has_keys = True
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGCONT, self._go_on)
        super().install()
        self.redraw()

    def cancel(self) -> None:
        super().cancel()
        self._keyboard.stop()
        logging.getLogger("celeriac").removeHandler(self._log)
        self.out.write(_LEAVE)
        self.out.flush()

    def _go_on(self, *_: Any) -> None:
        self._keyboard.resume()
        self.out.write(_ENTER)

    # -- drawing ------------------------------------------------------------------------------------------------------

    def on_shutter(self, state: State) -> None:
        """Draw the whole terminal anew."""
        width, height = shutil.get_terminal_size()
        text = render(state, self.view, width, height).replace("\n", f"{_REST_OF_LINE}\n")
        self.out.write(f"{_HOME}{text}{_REST}")
        self.out.flush()

    def redraw(self) -> None:
        """Draw now; from any thread."""
        self.state.freeze_while(self.on_shutter, self.state)

    def tell(self, text: str) -> None:
        """Say something in the last line, until the next key."""
        self.view.notice = printable(text)

    # -- keys ---------------------------------------------------------------------------------------------------------

    def press(self, key: str) -> None:
        """Do what a key stands for, and draw that."""
        if self._question is not None:
            self._type(self._question, key)
        else:
            self.tell("")
            self._act(key)
        self.redraw()

    def _act(self, key: str) -> None:
        if key == "q":
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        elif key == "escape":
            self._go_back()
        elif key in _STEPS:
            self._step(_STEPS[key])
        elif key in {"?", "h"}:
            self._show(KEYS)
        elif key == "f":
            self._ask(_Question("Find (nothing shows all): ", self._find))
        elif key in _PAGES or key in {"c", "l"}:
            self._about_task(key)

    def _go_back(self) -> None:
        if self.view.page is None:
            self.view.chosen, self.view.wanted = None, ""
        self.view.page = None

    def _show(self, page: str) -> None:
        self.view.page, self.view.top = page, 0

    def _step(self, by: int) -> None:
        """Scroll a page, or choose the task that is so many further down."""
        if self.view.page is not None:
            self.view.top = max(0, self.view.top + by)
            return
        ids = [task.uuid for task in tasks_shown(self.state, self.view)]
        if ids:
            index = ids.index(self.view.chosen) + by if self.view.chosen in ids else 0
            self.view.chosen = ids[max(0, min(index, len(ids) - 1))]

    def _about_task(self, key: str) -> None:
        """What is about the task that is chosen; the latest, where none is."""
        if self.view.chosen is None:
            self._step(0)
        task = self.state.tasks.data.get(self.view.chosen or "")
        if task is None:
            self.tell("no task is known yet")
        elif key in _PAGES:
            self._show(_PAGES[key])
        elif key == "c":
            self._ask(_Question(f"Revoke {_named(task)}? y/n ", lambda _: self._revoke(task), is_yes_or_no=True))
        elif task.name is None:
            self.tell("its name is not known")
        else:
            self._ask(_Question(f"Rate limit of {task.name} (as 10/m; 0 lifts it): ", self._limiting(task.name)))

    # -- questions ----------------------------------------------------------------------------------------------------

    def _ask(self, question: _Question) -> None:
        self._question = question
        self.tell(question.text)

    def _type(self, question: _Question, key: str) -> None:
        if key == "escape" or (question.is_yes_or_no and key not in {"y", "Y"}):
            self._end_question("")
        elif question.is_yes_or_no or key == "enter":
            self._end_question("...")
            self.redraw()
            try:
                self.tell(question.answer(question.typed.strip()))
            except Exception as error:  # noqa: BLE001  # told in the last line; the view goes on
                self.tell(f"that has failed: {error}")
        else:
            question.typed = question.typed[:-1] if key == "backspace" else question.typed + key[:1]
            self.tell(question.text + question.typed)

    def _end_question(self, notice: str) -> None:
        self._question = None
        self.tell(notice)

    def _find(self, text: str) -> str:
        self.view.wanted, self.view.page = text, None
        return f"only tasks with {text!r}; esc shows all" if text else ""

    def _revoke(self, task: Task) -> str:
        self.app.control.revoke(task.uuid)
        return f"the workers are told to revoke {_named(task)}"

    def _limiting(self, name: str) -> Callable[[str], str]:
        def limit(rate: str) -> str:
            replies = self.app.control.rate_limit(name, rate, reply=True, timeout=1.0) or []
            answers = {str(answer.get("ok") or answer.get("error")) for reply in replies for answer in _maps(reply)}
            return f"{name}: {'; '.join(sorted(answers)) or 'no worker has answered'}"

        return limit


class PlainScreen(Screen):
    """The same without colours."""

    has_colour = False


class _Notices(logging.Handler):
    """Shows warnings in the last line: on the screen they would be in its midst, and gone with the next picture."""

    def __init__(self, screen: Screen) -> None:
        super().__init__(logging.WARNING)
        self._screen = screen

    def emit(self, record: logging.LogRecord) -> None:
        self._screen.tell(record.getMessage())


def _maps(reply: Any) -> list[dict[str, Any]]:
    return [answer for answer in reply.values() if isinstance(answer, dict)] if isinstance(reply, dict) else []


def _named(task: Task) -> str:
    return f"{task.name or 'the task'}[{task.uuid}]"
