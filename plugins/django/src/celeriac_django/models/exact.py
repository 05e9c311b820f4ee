"""Short texts that are names: two are the same only if they are alike to the letter."""

from __future__ import annotations

from typing import Any

from django.db import models  # type: ignore[import-untyped]  # Django has no annotations


class ExactField(models.CharField):  # type: ignore[misc]  # as above
    """A text that is compared by its code points, on MySQL as well, which would take ``ID`` for ``id``."""

    def db_parameters(self, connection: Any) -> dict[str, Any]:
        parameters: dict[str, Any] = super().db_parameters(connection)
        if connection.vendor == "mysql":
            parameters["collation"] = "utf8mb4_bin"
        return parameters
