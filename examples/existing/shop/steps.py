from celery import bootsteps
from kombu import Consumer, Exchange, Queue

bells = Queue("shop-bell", Exchange("shop-bell"), routing_key="bell")


class Till(bootsteps.StartStopStep):
    """Opens with the worker; knows an option of the command line."""

    requires = {"celery.worker.components:Pool"}

    def __init__(self, worker, till=None, **options):
        super().__init__(worker, **options)
        self.till = till

    def start(self, worker):
        print(f"till {self.till} open, {type(worker.pool).__name__} behind it", flush=True)

    def stop(self, worker):
        print(f"till {self.till} closed", flush=True)


class Doorman(bootsteps.StartStopStep):
    """Starts when the broker is connected."""

    requires = {"celery.worker.consumer.connection:Connection"}

    def start(self, c):
        print(f"doorman of {c.hostname} at the door", flush=True)


class Bell(bootsteps.ConsumerStep):
    """Consumes messages that are no tasks."""

    def get_consumers(self, channel):
        return [Consumer(channel, queues=[bells], callbacks=[self.rung], accept=["json"])]

    def rung(self, body, message):
        print(f"bell: {body['who']}", flush=True)
        message.ack()
