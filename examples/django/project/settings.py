"""DATABASE=postgresql://user@host/name puts everything there; without it, in a file beside this project."""

import os
from pathlib import Path
from urllib.parse import urlsplit

BASE_DIR = Path(__file__).resolve().parent.parent
HOME = Path(os.environ.get("BAKERY_HOME", BASE_DIR))


def database():
    if not (url := os.environ.get("DATABASE")):
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": HOME / "bakery.sqlite3", "OPTIONS": {"timeout": 20}}
    parts = urlsplit(url)
    place = {"HOST": parts.hostname, "PORT": parts.port, "USER": parts.username, "PASSWORD": parts.password or ""}
    return {"ENGINE": "django.db.backends.postgresql", "NAME": parts.path.strip("/"), **place}


SECRET_KEY = "an example has no secret"
DEBUG = True
ALLOWED_HOSTS = ["localhost", "127.0.0.1"]
ROOT_URLCONF = "project.urls"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "celeriac_django",
    "bakery",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DATABASES = {"default": database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL = "static/"
USE_TZ = True
TIME_ZONE = "Europe/Berlin"
ADMINS = [("Ada", "ada@example.org")]
EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = HOME / "mail"

CELERY_BROKER_URL = os.environ.get("BROKER", f"sqlite:///{HOME / 'queue.db'}")
CELERY_RESULT_BACKEND = "django-db"
CELERY_RESULT_EXTENDED = True
CELERY_BEAT_SCHEDULER = "django"
CELERY_BEAT_SCHEDULE = {"count-loaves": {"task": "bakery.tasks.count_loaves", "schedule": 1.0}}
CELERY_DJANGO_MAIL_FAILURES = True
