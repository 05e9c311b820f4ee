"""Where users of Celery look for loaders: ``celeriac.loaders.base``, ``.app``, ``.default``."""
