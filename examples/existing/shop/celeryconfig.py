import os

from celery.schedules import crontab
from kombu import Exchange, Queue

broker_url = os.environ["SHOP_BROKER"]
result_backend = "files://" + os.environ["SHOP_RESULTS"]
accept_content = ["json", "shop-json"]
task_serializer = "json"
result_serializer = "json"
timezone = "Europe/Amsterdam"
enable_utc = True
task_track_started = True
task_acks_late = True
task_default_queue = "shop"
task_queues = (
    Queue("shop", Exchange("shop"), routing_key="shop"),
    Queue("shop-mail", Exchange("shop"), routing_key="mail"),
)
task_routes = {"shop.orders.tasks.send_*": {"queue": "shop-mail", "routing_key": "mail"}}
task_annotations = {"shop.orders.tasks.price_of": {"rate_limit": "100/s"}}
worker_prefetch_multiplier = 1
broker_connection_retry_on_startup = True
beat_schedule = {
    "stock": {"task": "shop.orders.tasks.count_stock", "schedule": 0.5, "args": ("apples",)},
    "yearly": {"task": "shop.orders.tasks.count_stock", "schedule": crontab(0, 0, day_of_month="1", month_of_year="1")},
}
