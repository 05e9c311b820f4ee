"""Made by `make stubs`: where each name is."""

from builtins import ValueError as _CycleError
from celeriac.graph import DependencyGraph as DependencyGraph
from celeriac.graph import GraphFormatter as GraphFormatter

CycleError = _CycleError
