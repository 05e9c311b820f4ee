"""The public names of Celery, one by one: is each here, does it take what Celery's takes, and which test shows it."""
