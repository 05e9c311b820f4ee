"""``import celery`` finds Celeriac: the same objects under both names."""

from __future__ import annotations

import importlib
import inspect
import json
import pickle
import subprocess
import sys
from pathlib import Path
from unittest import mock

import celery
import celery.app.task
import celery.exceptions
import pytest
from celery.app.task import Task

import celeriac
import celeriac.app.task
import celeriac.utils.log

REFERENCE = json.loads((Path(__file__).parents[2] / "data" / "celery-surface.json").read_text())
NAMES = [
    *REFERENCE["classes"],
    *(f"celery.exceptions.{name}" for name in REFERENCE["exceptions"]),
    *(f"celery.states.{name}" for name in REFERENCE["states"]),
    *(f"celery.signals.{name}" for name in REFERENCE["signals"]),
]
#: What extensions and programs import from Celery besides, as found in packages for it.
IMPORTED = """
_state: connect_on_app_finalize current_app current_task get_current_app get_current_task set_default_app
app: app_or_default default_app
app.annotations: MapAnnotation
app.base: Celery PendingConfiguration
app.control: Control Inspect
app.defaults: Option find flatten DEFAULTS NAMESPACES
app.log: Logging TaskFormatter
app.registry: TaskRegistry
app.routes: MapRoute Router
app.task: Context Task
app.trace: build_tracer reset_worker_optimizations setup_worker_optimizations task_has_custom trace_task
app.utils: Settings appstr bugreport find_app
backends.base: BaseBackend BaseDictBackend Backend DisabledBackend KeyValueStoreBackend get_current_task
beat: DEFAULT_MAX_INTERVAL EmbeddedService PersistentScheduler ScheduleEntry Scheduler SchedulingError Service
bin.base: CeleryCommand CeleryOption CLIContext COMMA_SEPARATED_LIST JSON_OBJECT LOG_LEVEL handle_preload_options
bin.celery: celery main
bootsteps: Blueprint ConsumerStep StartStopStep Step
canvas: Signature chain chord chunks group maybe_signature signature xmap xstarmap
concurrency: get_available_pool_names get_implementation
concurrency.base: BasePool
contrib.abortable: AbortableAsyncResult AbortableTask
contrib.pytest: celery_app celery_session_worker
contrib.rdb: set_trace
contrib.testing.app: TestApp setup_default_app
contrib.testing.manager: Manager
contrib.testing.mocks: ContextMock TaskMessage
contrib.testing.tasks: ping
contrib.testing.worker: start_worker
events: Event EventDispatcher EventReceiver
events.receiver: EventReceiver
events.snapshot: Polaroid
events.state: State Task Worker
fixups.django: fixup
loaders: get_loader_cls
loaders.app: AppLoader
loaders.base: BaseLoader
local: PromiseProxy Proxy maybe_evaluate try_import
platforms: EX_OK SYSTEM maybe_drop_privileges signals
registry: tasks
result: AsyncResult EagerResult GroupResult ResultSet allow_join_result result_from_tuple
schedules: BaseSchedule crontab crontab_parser maybe_schedule schedstate schedule solar
utils: cached_property chunks gen_task_name get_full_cls_name instantiate nodename nodesplit noop uuid
utils.abstract: CallableSignature CallableTask
utils.collections: AttributeDict DictAttribute LimitedSet force_mapping lpmerge
utils.deprecated: Callable Property warn
utils.dispatch: Signal
utils.dispatch.signal: Signal
utils.functional: LRUCache chunks first firstmethod is_list lazy maybe_list memoize mlazy noop padlist regen uniq
utils.graph: DependencyGraph GraphFormatter
utils.imports: gen_task_name import_from_cwd instantiate qualname symbol_by_name
utils.iso8601: parse_iso8601
utils.log: ColorFormatter LOG_LEVELS base_logger get_logger get_task_logger mlevel
utils.nodenames: anon_nodename default_nodename gethostname host_format node_format nodename nodesplit worker_direct
utils.objects: Bunch FallbackContext mro_lookup
utils.saferepr: saferepr
utils.serialization: b64decode b64encode get_pickleable_exception jsonify strtobool
utils.sysinfo: load_average
utils.text: abbr indent pluralize pretty str_to_list truncate
utils.threads: LocalStack bgThread default_socket_timeout
utils.time: ffwd get_exponential_backoff_interval humanize_seconds make_aware maybe_make_aware remaining timezone
utils.timer2: Entry Timer
worker: WorkController
worker.autoscale: Autoscaler
worker.components: Beat Consumer Hub Pool StateDB Timer
worker.consumer: Agent Connection Consumer Control Events Gossip Heart Mingle Tasks
worker.consumer.connection: Connection
worker.consumer.gossip: Gossip
worker.consumer.tasks: Tasks
worker.control: Panel
worker.request: Request
worker.strategy: default
worker.worker: WorkController
"""


def test_there_is_one_of_everything():
    assert Task is celeriac.app.task.Task
    assert celery.Celery is celeriac.Celery
    assert celery.app.task is celeriac.app.task
    assert celery.exceptions.Retry is celeriac.exceptions.Retry
    with pytest.raises(celery.exceptions.Retry):
        raise celeriac.exceptions.Retry
    assert celeriac.app.task.__spec__.name == "celeriac.app.task"


@pytest.mark.parametrize("path", NAMES)
def test_a_public_name_is_ours(path):
    module, _, name = path.rpartition(".")
    found = getattr(importlib.import_module(module), name)

    assert found is getattr(importlib.import_module(module.replace("celery", "celeriac", 1)), name)


@pytest.mark.parametrize("line", IMPORTED.strip().splitlines())
def test_what_is_widely_imported_is_there(line):
    module, _, names = line.partition(": ")
    found = importlib.import_module(f"celery.{module}")

    assert [name for name in names.split() if not hasattr(found, name)] == []


def test_everything_that_celeriac_offers_is_there():
    names = [name for name in celeriac.__all__ if "version" not in name.lower()]
    assert all(getattr(celery, name) is getattr(celeriac, name) for name in names)
    assert {*celeriac.__all__} <= {*dir(celery)}


def test_it_tells_the_release_whose_api_it_is():
    assert celery.__version__ == "5.7.0"
    assert celery.VERSION[:2] == (5, 7)
    assert celery.version_info.major == 5


def test_what_is_nowhere_is_said_to_be_nowhere():
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'celery\.backends\.cassandra'"):
        importlib.import_module("celery.backends.cassandra")
    with pytest.raises(AttributeError, match="module 'celery' has no attribute 'nothing'"):
        _ = celery.nothing
    with pytest.raises(ImportError, match="nothing"):
        exec("from celery.utils.text import nothing")


def test_modules_can_be_loaded_anew_and_show_their_source():
    before = celeriac.app.task.Task
    assert importlib.reload(celery) is celery
    assert importlib.reload(importlib.import_module("celery.utils.text")).truncate("ab", 1) == "a..."
    assert "class Task" in inspect.getsource(celery.app.task)
    assert celery.app.task.Task is before


def test_what_crosses_in_pickles_and_signatures_is_found_under_either_name():
    data = pickle.dumps(celeriac.exceptions.Ignore("why"), 0)
    assert pickle.loads(data.replace(b"celeriac.exceptions", b"celery.exceptions")).args == ("why",)


def test_who_replaces_a_name_replaces_it_where_it_is_used():
    with mock.patch("celery.utils.log.get_task_logger") as replaced:
        assert celeriac.utils.log.get_task_logger is replaced
    assert celeriac.utils.log.get_task_logger is not replaced
    import celery.utils.log

    assert celery.utils.log.get_task_logger is celeriac.utils.log.get_task_logger


def test_who_takes_a_replacement_back_leaves_all_as_it_was(monkeypatch):
    trace, home = importlib.import_module("celery.app.trace"), importlib.import_module("celeriac_celery.tracing")
    original = home.build_tracer
    with monkeypatch.context() as patch:
        patch.setattr(trace, "build_tracer", print)
        assert home.build_tracer is print
    assert home.build_tracer is trace.build_tracer is original
    with mock.patch.object(trace, "build_tracer", print):
        assert home.build_tracer is print
    assert home.build_tracer is trace.build_tracer is original
    with pytest.raises(AttributeError):
        del trace.build_tracer


def test_who_looks_through_all_modules_finds_nothing_strange():
    for line in IMPORTED.strip().splitlines():
        importlib.import_module(f"celery.{line.partition(':')[0]}")
    for package in ("apps", "backends", "bin", "fixups"):
        importlib.import_module(f"celery.{package}")
    for name, module in list(sys.modules.items()):
        if name.startswith("celery"):
            getattr(module, "__file__", None)
            inspect.getmodule(module)
            assert module.__spec__ is None or module.__spec__.name


def test_importing_it_loads_no_more_than_celeriac_does():
    probe = "import sys, celery; print(sorted({'kombu', 'click', 'pluggy', 'celeriac.app'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-P", "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_files_of_celery_beside_ours_are_told_of_in_one_line_and_not_used(tmp_path):
    package = tmp_path / "celery"
    (package / "app").mkdir(parents=True)
    (package / "app" / "__init__.py").write_text("raise ImportError('of Celery itself')")
    (package / "__init__.py").write_text(Path(celery.__file__).read_text())
    probe = "from celery import Celery; import celery.app.base; Celery('a').plugins.states(); print(Celery.__module__)"
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True, env={"PYTHONPATH": str(tmp_path)}
    )
    assert done.stdout == "celeriac.app.base\n"
    [line] = done.stderr.splitlines()
    assert "celery and celeriac-celery are both installed" in line
    assert "Celeriac: pip uninstall -y celery && pip install" in line


def test_where_celery_itself_is_found_first_an_app_of_ours_says_so(tmp_path):
    (tmp_path / "celery.py").write_text("class Celery: pass")
    probe = (
        "from celeriac import Celery; app = Celery('a'); app.plugins.states(); Celery('b').plugins.states(); "
        "print([check() for name, check in app.plugins.health_checks() if name == 'celery'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True, env={"PYTHONPATH": str(tmp_path)}
    )
    [line] = done.stderr.splitlines()
    assert "both installed" in line
    assert str(tmp_path / "celery.py") in line
    assert "both installed" in done.stdout
