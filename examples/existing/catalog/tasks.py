from celery import shared_task
from django.conf import settings
from django.db import connection


@shared_task
def title():
    return settings.CATALOG_TITLE


@shared_task(autoretry_for=(ConnectionError,), retry_kwargs={"max_retries": 2})
def publish(page):
    with connection.cursor() as cursor:
        cursor.execute("select upper(%s)", [page])
        return cursor.fetchone()[0]
