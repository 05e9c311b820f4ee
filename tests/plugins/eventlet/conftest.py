"""Nothing here needs the library in the test's own process: it has every later fork of it warned of."""

from __future__ import annotations

import sys
from importlib.metadata import metadata

import pytest


@pytest.fixture(autouse=True)
def python_that_eventlet_knows():
    """Skip on a Python that the installed eventlet does not say it is for."""
    this = f"{sys.version_info.major}.{sys.version_info.minor}"
    if f"Programming Language :: Python :: {this}" not in (metadata("eventlet").get_all("Classifier") or ()):
        pytest.skip(f"eventlet {metadata('eventlet')['Version']} is not for Python {this}")
