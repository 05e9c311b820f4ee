"""A Django without a project, in this process: its tables are in whichever database a test chooses."""

from __future__ import annotations

import django
from django.conf import settings


class Chosen:
    """The router: everything is in the database of the test."""

    alias = "default"

    def db_for_read(self, model, **hints):
        return self.alias

    db_for_write = db_for_read

    @classmethod
    def forget_schedules(cls):
        from celeriac_django.models import ScheduledTask

        ScheduledTask.objects.using(cls.alias).all().delete()


def configure(**databases):
    settings.configure(
        SECRET_KEY="for tests only",
        INSTALLED_APPS=[
            *("django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes"),
            *("django.contrib.messages", "django.contrib.sessions", "celeriac_django"),
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
        ],
        TEMPLATES=[
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
        ],
        ROOT_URLCONF="pages",
        STATIC_URL="/static/",
        ALLOWED_HOSTS=["testserver"],
        DATABASES=databases,
        DATABASE_ROUTERS=["tables.Chosen"],
        USE_TZ=True,
        TIME_ZONE="UTC",
    )
    django.setup()
    from django.test.utils import setup_test_environment

    setup_test_environment()  # so that answers of its client have their context
    from django.core.management import call_command

    for alias in databases:
        call_command("migrate", database=alias, verbosity=0)


def close():
    from django.db import connections

    connections.close_all()
