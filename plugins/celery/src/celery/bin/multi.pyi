"""Made by `make stubs`: where each name is."""

from typing import Any as Any

multi: Any
