"""The result store in the project's own database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from celeriac.contracts import Backend, ResultWatcher, StoredResult
from celeriac.exceptions import ImproperlyConfigured
from celeriac_django.reach import connected


class DjangoBackend(Backend):
    """``result_backend = "django-db"``: rows of the tables of ``celeriac_django``, where the router puts them.

    Each thread has the connection that Django gives it.  Inside of a transaction results are part of it.
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
        made = []
        for one in results:
            content_type, payload = self._encoded(one.meta)
            made.append(rows.row_of(one, content_type, payload, self._expiry(one.expires)))
        with connected():
            rows.write(made)

    def fetch(self, task_ids: Sequence[str]) -> Mapping[str, dict[str, Any]]:
        from celeriac_django import rows

        with connected():
            found = rows.read(list(task_ids))
        return {row.task_id: self.decoded(row) for row in found}

    def delete(self, task_ids: Sequence[str]) -> None:
        from celeriac_django import models, rows

        with connected():
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
        with connected():
            GroupResult.objects.update_or_create(group_id=group_id, defaults=kept)

    def fetch_group(self, group_id: str) -> dict[str, Any] | None:
        from celeriac_django import moments
        from celeriac_django.models import GroupResult

        with connected():
            row = GroupResult.objects.filter(group_id=group_id).first()
        if row is None or (row.expires_at is not None and row.expires_at <= moments.now()):
            return None
        return self.decoded(row)

    def delete_group(self, group_id: str) -> None:
        from celeriac_django.models import GroupResult

        with connected():
            GroupResult.objects.filter(group_id=group_id).delete()

    # -- the end of things --------------------------------------------------------------------------------------------

    def cleanup(self) -> None:
        from celeriac_django import moments
        from celeriac_django.models import GroupResult, TaskResult

        with connected():
            for table in (TaskResult, GroupResult):
                table.objects.filter(expires_at__lte=moments.now()).delete()

    def close(self) -> None:
        """Nothing: connections are Django's, which closes them between requests and between tasks."""

    def as_uri(self, include_password: bool = False) -> str:
        return "django-db://"

    def decoded(self, row: Any) -> dict[str, Any]:
        """What a row holds.  Raises SecurityError for content that the app does not accept, and ProtocolError."""
        found: dict[str, Any] = self.app.serializers.decode_result(bytes(row.payload), row.content_type)
        return found

    def _encoded(self, meta: dict[str, Any]) -> tuple[str, bytes]:
        content_type, _, payload = self.app.serializers.encode(meta, name=self.app.conf.result_serializer)
        return content_type, payload if isinstance(payload, bytes) else payload.encode()

    def _expiry(self, seconds: float | None) -> Any:
        from celeriac_django import rows

        return rows.expiry(self.app.conf.result_expires if seconds is None else seconds)
