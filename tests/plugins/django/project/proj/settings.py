import json
import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = "for tests only"
INSTALLED_APPS = ["celeriac_django", "shop.apps.ShopConfig"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": BASE_DIR / "shop.sqlite3",
        "CONN_MAX_AGE": int(os.environ.get("CONN_MAX_AGE", "0")),
        "OPTIONS": {"timeout": 20},
    }
}
if "DATABASE" in os.environ:
    DATABASES = {"default": json.loads(os.environ["DATABASE"]), "other": DATABASES["default"]}
CACHES = {"default": {"BACKEND": "shop.cache.CountingCache"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "Europe/Berlin"
TASKS = {
    "default": {
        "BACKEND": os.environ.get("TASK_BACKEND", "celeriac_django.task_backend.CeleriacBackend"),
        "QUEUES": ["default", "other"],
        "OPTIONS": json.loads(os.environ.get("TASK_OPTIONS", "{}")),
    }
}
ADMINS = [("Ada", "ada@example.org")]
EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = BASE_DIR / "mail"

CELERY_BROKER_URL = f"sqlite:///{BASE_DIR / 'queue.sqlite3'}"
CELERY_RESULT_BACKEND = os.environ.get("RESULTS", CELERY_BROKER_URL)
CELERY_RESULT_EXTENDED = True
CELERY_TASK_ALWAYS_EAGER = "EAGER" in os.environ
CELERY_DJANGO_MAIL_FAILURES = True
CELERY_BEAT_SCHEDULER = "django"
CELERY_BEAT_SCHEDULE = {"restock": {"task": "shop.tasks.restock", "schedule": 0.2}}
if "SCHEDULE" in os.environ:
    CELERY_BEAT_SCHEDULE = json.loads(os.environ["SCHEDULE"])
