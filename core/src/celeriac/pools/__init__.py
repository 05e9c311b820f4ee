"""What pools are made of, for whoever writes one: processes, jobs and reports on their way, interruption."""

from __future__ import annotations
