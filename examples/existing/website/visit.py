"""A visit of the website: prints what its tasks give."""

import json

import django

import website

django.setup()

from catalog.tasks import publish, title  # noqa: E402
from django.db import transaction  # noqa: E402


def main():
    print(json.dumps({"title": title.delay().get(timeout=20)}))
    results = []
    with transaction.atomic():
        transaction.on_commit(lambda: results.append(publish.delay("tulips")))
    print(json.dumps({"published": results[0].get(timeout=20), "app": website.celery_app.main}))


if __name__ == "__main__":
    main()
