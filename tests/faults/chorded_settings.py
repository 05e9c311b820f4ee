"""The Django project in whose database the parts of chords are counted."""

from __future__ import annotations

import json
import os

SECRET_KEY = "for tests only"
INSTALLED_APPS = ["celeriac_django"]
DATABASES = {"default": json.loads(os.environ["CHORD_DATABASE"])}
USE_TZ = True
