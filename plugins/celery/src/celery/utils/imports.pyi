"""Made by `make stubs`: where each name is."""

from celeriac_celery.imports import NotAPackage as NotAPackage
from celeriac_celery.imports import cwd_in_path as cwd_in_path
from celeriac_celery.imports import find_module as find_module
from celeriac_celery.imports import gen_task_name as gen_task_name
from celeriac_celery.imports import get_cls_by_name as get_cls_by_name
from celeriac_celery.imports import get_full_cls_name as get_full_cls_name
from celeriac_celery.imports import import_from_cwd as import_from_cwd
from celeriac_celery.imports import instantiate as instantiate
from celeriac_celery.imports import load_extension_class_names as load_extension_class_names
from celeriac_celery.imports import load_extension_classes as load_extension_classes
from celeriac_celery.imports import module_file as module_file
from celeriac_celery.imports import qualname as qualname
from celeriac_celery.imports import reload_from_cwd as reload_from_cwd
from kombu.utils.imports import symbol_by_name as symbol_by_name
