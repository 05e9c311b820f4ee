from django.apps import AppConfig
from django.db import connection

from celeriac.signals import worker_before_create_process, worker_init


class ShopConfig(AppConfig):
    name = "shop"

    #: The connection that the worker's main process had open when its pool forked.
    inherited = None

    def ready(self):
        worker_init.connect(self.use_the_database)
        worker_before_create_process.connect(self.use_the_database)  # after the plugin has closed what was open

    @classmethod
    def use_the_database(cls, **kwargs):
        connection.ensure_connection()
        cls.inherited = connection.connection
