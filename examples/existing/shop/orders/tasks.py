import celery
from celery import Task, shared_task
from celery.exceptions import Ignore, MaxRetriesExceededError, SoftTimeLimitExceeded
from celery.utils.log import get_task_logger

logger = get_task_logger(__name__)


class SoldOut(Exception):
    pass


class Audited(Task):
    abstract = True

    def on_failure(self, exc, task_id, args, kwargs, einfo):
        print(f"audit: {self.name} failed with {type(exc).__name__}", flush=True)


@shared_task
def price_of(item):
    return {"apples": 3, "pears": 4}[item]


@shared_task
def total(prices):
    return sum(prices)


@shared_task(bind=True, max_retries=3, default_retry_delay=0.1)
def charge(self, amount, fail=0):
    try:
        if self.request.retries < fail:
            raise ConnectionError("the bank does not answer")
    except ConnectionError as exc:
        raise self.retry(exc=exc, countdown=0.1)
    return {"amount": amount, "tries": self.request.retries + 1}


@shared_task(base=Audited, throws=(SoldOut,))
def order(item):
    raise SoldOut(item)


@shared_task(serializer="shop-json")
def send_receipt(address):
    return f"receipt to {address}"


@shared_task(bind=True)
def close_early(self):
    self.update_state(state="CLOSING", meta={"by": "manager"})
    raise Ignore


@shared_task(ignore_result=True)
def count_stock(item):
    print(f"stock: {item}", flush=True)


@shared_task(bind=True)
def who(self):
    request = self.request
    return {
        "queue": request.delivery_info["routing_key"],
        "current": celery.current_task.name,
        "app": celery.current_app.main,
    }


KNOWN = (MaxRetriesExceededError, SoftTimeLimitExceeded)
