import os
from urllib.parse import urlparse

from celery.backends.base import KeyValueStoreBackend
from kombu.utils.encoding import ensure_bytes


class FileBackend(KeyValueStoreBackend):
    """Results as files in a directory."""

    supports_autoexpire = False

    def __init__(self, url=None, *args, **kwargs):
        super().__init__(*args, url=url, **kwargs)
        self.directory = urlparse(url).path
        os.makedirs(self.directory, exist_ok=True)

    def _path(self, key):
        return os.path.join(self.directory, key.decode() if isinstance(key, bytes) else key)

    def get(self, key):
        try:
            with open(self._path(key), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def set(self, key, value):
        path = self._path(key)
        with open(f"{path}.new-{os.getpid()}", "wb") as file:
            file.write(ensure_bytes(value))
        os.replace(file.name, path)

    def mget(self, keys):
        return [self.get(key) for key in keys]

    def delete(self, key):
        if os.path.exists(self._path(key)):
            os.unlink(self._path(key))
