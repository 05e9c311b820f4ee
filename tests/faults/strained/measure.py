"""How much of each fault: a few of each in the suite, and as many as are wanted by `make faults`."""

from __future__ import annotations

import os
from typing import Final

#: Moments at which a fault happens, in each test.
EACH: Final = int(os.environ.get("FAULTS_EACH") or 2)
#: Tasks in each test.
TASKS: Final = int(os.environ.get("FAULTS_TASKS") or 100 * EACH)
#: Tasks that run while something fails twice a second, which slows them down.
TASKS_OF_MANY_CUTS: Final = TASKS if EACH > 10 else 75 * EACH
TASKS_A_MOMENT: Final = max(TASKS // EACH, 20)
#: Seconds that a task takes at most: longer ones where only a few processes are killed, so that some are hit.
LONGEST: Final = 0.015 if EACH > 10 else 0.05
#: Seconds for which a result store is away.
AWAY: Final = float(os.environ.get("FAULTS_AWAY") or 1.5)
#: Seconds of a task beside which others are sent; else as long as it takes to send a few.
LONG_SECONDS: Final = 60.0 if EACH > 10 else 0.0
#: Seconds that a test may take: a node of RabbitMQ needs up to ten to be there again.
LIMIT: Final = 90 + EACH * 30 + TASKS // 50

#: Those whose server is the test's own can be stopped; a node of RabbitMQ takes seconds to start, so where nobody stops
#: it the machine's is used.
BROKERS: Final = ["sqlite", "redis", "rabbitmq"]
#: And RabbitMQ through Kombu's plain interface, as any other broker that Kombu knows, where the time for that is given.
KOMBUS_TOO: Final = [*BROKERS, "kombu"] if EACH > 10 else BROKERS
OWN_BROKERS: Final = ["sqlite", "redis", "own rabbitmq"]
