"""The programs, by the names under which Celery has them."""
