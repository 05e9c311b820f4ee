"""Made by `make stubs`: where each name is."""

from celeriac.apps.multi.arguments import NamespacedOptionParser as NamespacedOptionParser
from celeriac.apps.multi.cluster import Cluster as Cluster
from celeriac.apps.multi.nodes import MultiParser as MultiParser
from celeriac.apps.multi.nodes import Node as Node
from celeriac.apps.multi.tool import MultiTool as MultiTool
from celeriac.cli.multi import MultiCommand as MultiCommand
from celeriac.cli.multi import multi as multi
