"""What fixups of users are made of; those of frameworks are plugins."""

from __future__ import annotations

from celeriac.contracts.fixup import Fixup

__all__ = ["Fixup"]
