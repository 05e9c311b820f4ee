"""Where users of Celery look for what tests are made of; more is in `celeriac.testing`."""
