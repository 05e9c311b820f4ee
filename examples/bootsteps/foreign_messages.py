"""Messages of a program that knows nothing of tasks: each becomes one.

celeriac -A foreign_messages worker     and then, in another terminal:     python foreign_messages.py
"""

from kombu import Consumer, Exchange, Queue

from celeriac import Celery
from celeriac.bootsteps import ConsumerStep

app = Celery("foreign_messages")
orders = Queue("orders", Exchange("orders"), routing_key="orders")


@app.task
def ship(order, address):
    print(f"order {order} goes to {address}", flush=True)


class Orders(ConsumerStep):
    # Started again by itself when the connection was lost and is there again.
    def get_consumers(self, channel):
        return [Consumer(channel, queues=[orders], callbacks=[self.on_order], accept=["json"], prefetch_count=100)]

    def on_order(self, body, message):
        try:
            order, address = body["order"], body["address"]
        except (TypeError, KeyError):
            message.reject()  # to the queue's dead letters, where it has such
            return
        ship.delay(order, address)
        message.ack()  # after the task is sent: a worker that dies in between gets the order again


app.steps["consumer"].add(Orders)

if __name__ == "__main__":
    with app.connection_for_write() as connection:
        producer = connection.Producer(serializer="json")
        for number in range(3):
            producer.publish(
                {"order": number, "address": f"{number} Main Street"},
                exchange=orders.exchange,
                routing_key=orders.routing_key,
                declare=[orders],
            )
