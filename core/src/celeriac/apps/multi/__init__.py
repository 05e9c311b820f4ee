"""Several workers on this machine by name: what ``celeriac multi`` is made of, for programs."""

from __future__ import annotations

from celeriac.apps.multi.arguments import NamespacedOptionParser
from celeriac.apps.multi.cluster import Cluster
from celeriac.apps.multi.nodes import MultiParser, Node
from celeriac.apps.multi.tool import MultiTool

__all__ = ["Cluster", "MultiParser", "MultiTool", "NamespacedOptionParser", "Node"]
