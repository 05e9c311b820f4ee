import os

SECRET_KEY = "an example has none"
USE_TZ = True
INSTALLED_APPS = ["catalog"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["SHOP_RESULTS"] + ".sqlite3"}}
CATALOG_TITLE = "Spring"

CELERY_BROKER_URL = os.environ["SHOP_BROKER"]
CELERY_RESULT_BACKEND = "files://" + os.environ["SHOP_RESULTS"]
CELERY_TASK_DEFAULT_QUEUE = "website"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
