"""Made by `make stubs`: where each name is."""

from celeriac_celery.text import abbr as abbr
from celeriac_celery.text import abbrtask as abbrtask
from celeriac_celery.text import dedent as dedent
from celeriac_celery.text import dedent_initial as dedent_initial
from celeriac_celery.text import ensure_newlines as ensure_newlines
from celeriac_celery.text import ensure_sep as ensure_sep
from celeriac_celery.text import fill_paragraphs as fill_paragraphs
from celeriac_celery.text import indent as indent
from celeriac_celery.text import join as join
from celeriac_celery.text import match_case as match_case
from celeriac_celery.text import pluralize as pluralize
from celeriac_celery.text import pretty as pretty
from celeriac_celery.text import simple_format as simple_format
from celeriac_celery.text import str_to_list as str_to_list
from celeriac_celery.text import truncate as truncate
