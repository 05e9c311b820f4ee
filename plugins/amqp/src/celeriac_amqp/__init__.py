"""RabbitMQ as broker, and results as messages."""

from __future__ import annotations
