"""One day in the shop, seen from outside: prints what each call gives."""

import json

from celery import chain, chord, group, states
from celery.exceptions import TimeoutError
from celery.result import AsyncResult, GroupResult, allow_join_result

from shop.celery import app
from shop.orders.tasks import charge, close_early, order, price_of, send_receipt, total, who
from shop.steps import bells


def tell(name, value):
    print(json.dumps({name: value}), flush=True)


def main():
    tell("one", price_of.delay("apples").get(timeout=20))
    tell("options", price_of.apply_async(("pears",), countdown=0.1, expires=60).get(timeout=20))
    tell(
        "chain",
        chain(group(price_of.s("apples"), price_of.s("pears")), total.s(), charge.s(fail=0)).delay().get(timeout=30),
    )
    tell("chord", chord([price_of.s("apples"), price_of.s("apples")])(total.s()).get(timeout=30))
    many = group(price_of.s(item) for item in ("apples", "pears", "apples")).apply_async()
    tell("group", many.get(timeout=20))
    many.save()
    with allow_join_result():
        tell("restored", GroupResult.restore(many.id, app=app).join(timeout=20))
    tell("retried", charge.delay(7, fail=2).get(timeout=20))
    result = order.delay("melons")
    try:
        result.get(timeout=20)
    except Exception as exc:
        tell("failed", [type(exc).__name__, *exc.args, result.state == states.FAILURE])
    tell("routed", send_receipt.delay("me@example.org").get(timeout=20))
    tell("who", who.delay().get(timeout=20))
    ignored = close_early.delay()
    try:
        ignored.get(timeout=1.5)
    except TimeoutError:
        tell("ignored", [AsyncResult(ignored.id, app=app).state, ignored.info])
    tell("by name", app.send_task("shop.orders.tasks.price_of", args=["pears"]).get(timeout=20))
    tell("eager", price_of.s("apples").apply().get())
    with app.producer_pool.acquire(block=True) as producer:
        producer.publish(
            {"who": "ann"}, exchange=bells.exchange, routing_key="bell", declare=[bells], serializer="json"
        )
    tell("ping", sorted(app.control.inspect(timeout=2).ping().values(), key=str))


if __name__ == "__main__":
    main()
