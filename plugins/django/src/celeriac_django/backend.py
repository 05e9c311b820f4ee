"""The result store in the project's own database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from celeriac.contracts import Backend, ChordPart, ChordStore, NewChord, ResultWatcher, StoredResult, Turn
from celeriac.exceptions import ImproperlyConfigured
from celeriac.protocol.json import dumps, loads
from celeriac_django.primitives import DjangoPrimitives
from celeriac_django.reach import apart, connected


class DjangoBackend(DjangoPrimitives, Backend, ChordStore):
    """``result_backend = "django-db"``: rows of the tables of ``celeriac_django``, where the router puts them.

    Each thread has the connection that Django gives it.  What is written is written at once, whatever becomes of the
    transaction that its caller is in; on SQLite it is part of that.
    """

    supports_autoexpire: ClassVar[bool] = False

    def __init__(self, app: Any, url: str) -> None:
        super().__init__(app, url)
        self._check_installed()

    @staticmethod
    def _check_installed() -> None:
        import django  # type: ignore[import-untyped]  # Django has no annotations
        from django.apps import apps  # type: ignore[import-untyped]  # as above
        from django.core.exceptions import (  # type: ignore[import-untyped]  # as above
            ImproperlyConfigured as NoSettings,
        )

        try:
            if not (apps.ready or apps.loading):
                django.setup()
            installed = apps.is_installed("celeriac_django")
        except NoSettings as error:
            raise ImproperlyConfigured(
                "the result store django-db needs a Django project: set DJANGO_SETTINGS_MODULE to its settings module"
            ) from error
        if not installed:
            raise ImproperlyConfigured(
                'the result store django-db needs its tables: add "celeriac_django" to INSTALLED_APPS and run '
                "python manage.py migrate celeriac"
            )

    # -- results ------------------------------------------------------------------------------------------------------

    def store(self, results: Sequence[StoredResult]) -> None:
        from celeriac_django import rows

        if not results:
            return
        made = self._rows(results)
        with apart():
            rows.write(made)

    def _rows(self, results: Sequence[StoredResult]) -> list[Any]:
        from celeriac_django import rows

        made = []
        for one in results:
            content_type, payload = self._encoded(one.meta)
            made.append(rows.row_of(one, content_type, payload, self._expiry(one.expires)))
        return made

    def fetch(self, task_ids: Sequence[str]) -> Mapping[str, dict[str, Any]]:
        from celeriac_django import rows

        with connected():
            found = rows.read(list(task_ids))
        return {row.task_id: self.decoded(row) for row in found}

    def delete(self, task_ids: Sequence[str]) -> None:
        from celeriac_django import models, rows

        with apart():
            for batch in rows.batches(list(task_ids)):
                models.TaskResult.objects.filter(task_id__in=batch).delete()

    def watch(self) -> ResultWatcher:
        from celeriac_django.watcher import DjangoResultWatcher

        return DjangoResultWatcher(self)

    # -- groups -------------------------------------------------------------------------------------------------------

    def store_group(self, group_id: str, meta: dict[str, Any], expires: float | None = None) -> None:
        from celeriac_django.models import GroupResult

        content_type, payload = self._encoded(meta)
        kept = {"payload": payload, "content_type": content_type, "expires_at": self._expiry(expires)}
        with apart():
            GroupResult.objects.update_or_create(group_id=group_id, defaults=kept)

    def fetch_group(self, group_id: str) -> dict[str, Any] | None:
        from celeriac_django import moments
        from celeriac_django.models import GroupResult

        with connected():
            row = GroupResult.objects.filter(group_id=group_id).first()
        if row is None or (row.expires_at is not None and row.expires_at <= moments.now()):
            return None
        found: dict[str, Any] = self.decoded(row)
        return found

    def delete_group(self, group_id: str) -> None:
        from celeriac_django.models import GroupResult

        with apart():
            GroupResult.objects.filter(group_id=group_id).delete()

    # -- chords -------------------------------------------------------------------------------------------------------

    def start_chords(self, chords: Sequence[NewChord]) -> None:
        from celeriac_django import chords as tables
        from celeriac_django.models import Chord

        new = [
            Chord(
                group_id=chord.group_id,
                size=chord.size,
                body=None if chord.body is None else dumps(chord.body),
                expires_at=self._chord_expiry(chord.expires),
            )
            for chord in chords
        ]
        with apart():
            tables.start(new)

    def grow_chord(self, group_id: str, count: int = 1) -> None:
        from celeriac_django import chords as tables

        with apart():
            tables.grow(group_id, count, self._chord_expiry(None))

    def store_with_parts(self, results: Sequence[StoredResult], parts: Sequence[ChordPart]) -> dict[str, Turn]:
        from celeriac_django import chords as tables

        made, counted = self._rows(results), [self._part(part) for part in parts]
        with apart():
            return tables.store_with_parts(made, counted, self._chord_expiry(None))

    def _part(self, part: ChordPart) -> Any:
        from celeriac_django.models import ChordPart as Row

        content_type, payload = self._encoded(part.result)
        return Row(
            group_id=part.group_id,
            task_id=part.task_id,
            place=part.place,
            state=part.state,
            payload=payload,
            content_type=content_type,
        )

    def claim_chord(self, group_id: str) -> Turn | None:
        from celeriac_django import chords as tables

        with apart():
            return tables.claim(group_id)

    def read_chord(self, group_id: str) -> tuple[dict[str, Any] | None, list[tuple[str, str, Any]]]:
        from celeriac_django import chords as tables

        with apart():
            body, parts = tables.read(group_id)
        return None if body is None else loads(body), [(part.task_id, part.state, self.decoded(part)) for part in parts]

    def end_chords(self, group_ids: Sequence[str]) -> None:
        from celeriac_django import chords as tables

        with apart():
            tables.end(group_ids)

    def admit(self, call: str, token: str) -> bool:
        from celeriac_django import chords as tables

        with apart():
            return tables.admit(call, token, self._chord_expiry(None))

    def _chord_expiry(self, seconds: float | None) -> Any:
        from celeriac_django import rows

        return rows.expiry(self.app.conf.result_chord_expires if seconds is None else seconds)

    # -- the end of things --------------------------------------------------------------------------------------------

    def cleanup(self) -> None:
        from celeriac_django import chords, moments, shared
        from celeriac_django.models import GroupResult, TaskResult

        with apart():
            for table in (TaskResult, GroupResult):
                table.objects.filter(expires_at__lte=moments.now()).delete()
            chords.delete_expired()
            shared.delete_expired()

    def after_fork(self) -> None:
        from celeriac_django.connections import after_fork

        after_fork()

    def close(self) -> None:
        """Nothing: connections are Django's, which closes them between requests and between tasks."""

    def as_uri(self, include_password: bool = False) -> str:
        return "django-db://"

    def decoded(self, row: Any) -> Any:
        """What a row holds.  Raises SecurityError for content that the app does not accept, and ProtocolError."""
        found: Any = self.app.serializers.decode_result(bytes(row.payload), row.content_type)
        return found

    def _encoded(self, meta: Any) -> tuple[str, bytes]:
        content_type, _, payload = self.app.serializers.encode(meta, name=self.app.conf.result_serializer)
        return content_type, payload if isinstance(payload, bytes) else payload.encode()

    def _expiry(self, seconds: float | None) -> Any:
        from celeriac_django import rows

        return rows.expiry(self.app.conf.result_expires if seconds is None else seconds)
