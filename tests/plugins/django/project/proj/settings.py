import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = "for tests only"
INSTALLED_APPS = ["shop.apps.ShopConfig"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": BASE_DIR / "shop.sqlite3",
        "CONN_MAX_AGE": int(os.environ.get("CONN_MAX_AGE", "0")),
        "OPTIONS": {"timeout": 20},
    }
}
CACHES = {"default": {"BACKEND": "shop.cache.CountingCache"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True

CELERY_BROKER_URL = f"sqlite:///{BASE_DIR / 'queue.sqlite3'}"
CELERY_RESULT_BACKEND = CELERY_BROKER_URL
