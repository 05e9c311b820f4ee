"""A process that claims what is in a queue, says so, and waits to be killed: run by a test of the broker suite."""

from __future__ import annotations

import json
import os
import sys
import threading


def hold(queue: str, options: str) -> None:
    """Claim everything that is in the queue, and never come back."""
    from celeriac.app.base import Celery
    from celeriac.testing.conformance.broker_harness import BrokerHarness, queue_of

    url = os.environ["CELERIAC_CONFORMANCE_URL"]
    app = Celery("conformance", broker=url, set_as_current=False)
    app.conf.broker_transport_options = json.loads(options)
    harness = BrokerHarness(url, app, queue_of(**json.loads(queue)))
    found = harness.claim(harness.consumer(), 10)
    sys.stdout.write(f"holds {len(found)}\n")
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    hold(*sys.argv[1:])
