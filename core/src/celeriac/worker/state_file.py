"""The file in which a worker keeps what it must not forget: revoked tasks, and its logical clock."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from celeriac.exceptions import ImproperlyConfigured

if TYPE_CHECKING:
    from celeriac.app.base import Celery
    from celeriac.worker.revocations import Revocations

logger = logging.getLogger("celeriac.worker.state_file")

_FORMAT: Final = "celeriac-worker-state"
_VERSION: Final = 1


class StateFile:
    """JSON, written whole and put in its place in one step, so that a crash leaves the old one or the new one."""

    def __init__(self, path: str | os.PathLike[str], app: Celery, revocations: Revocations) -> None:
        self.path = Path(path)
        self._app = app
        self._revocations = revocations

    def read(self) -> None:
        """Take what is in the file; nothing where there is none.  What is known already is kept.

        Raises `ImproperlyConfigured` for a file that is none of ours: it must not be written over.
        """
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return
        except OSError as error:
            raise ImproperlyConfigured(f"the state file {self.path} cannot be read: {error.strerror}") from error
        try:
            self._take(json.loads(data))
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            # Their repr may have all that there is in the file.
            raise ImproperlyConfigured(
                f"{self.path} is no state file of Celeriac ({type(error).__name__}: {error}). Celery's are not read: "
                "name another file, or remove this one"
            ) from error

    def _take(self, content: Any) -> None:
        if content["format"] != _FORMAT or content["version"] != _VERSION:
            raise ValueError(f"format {content['format']!r}, version {content['version']!r}")
        clock, ids, stamps = int(content["clock"]), content["revoked"], content["revoked_stamps"]
        for task_id, since in ids:
            self._revocations.add_ids([str(task_id)], float(since))
        for name, value, since in stamps:
            self._revocations.add_stamps({str(name): str(value)}, float(since))
        self._revocations.purge()
        self._app.clock.adjust(clock)

    def write(self) -> None:
        """Keep what is known now.  An error is logged: the worker goes on."""
        revocations = self._revocations
        content = {
            "format": _FORMAT,
            "version": _VERSION,
            "clock": self._app.clock.value,
            "revoked": revocations.ids.items(),
            "revoked_stamps": [(name, value, since) for (name, value), since in revocations.stamps.items()],
        }
        try:
            self._replace(json.dumps(content).encode())
        except OSError as error:
            logger.error(
                "The state file %s cannot be written, and revoked tasks may be forgotten: %s", self.path, error
            )

    def _replace(self, data: bytes) -> None:
        handle, temporary = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self.path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
