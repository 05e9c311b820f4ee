"""Made by `make stubs`: where each name is."""

from celeriac_celery.moments import LocalTimezone as LocalTimezone
from celeriac_celery.moments import add_seconds_to_datetime as add_seconds_to_datetime
from celeriac_celery.moments import adjust_timestamp as adjust_timestamp
from celeriac_celery.moments import delta_resolution as delta_resolution
from celeriac_celery.moments import ffwd as ffwd
from celeriac_celery.moments import get_exponential_backoff_interval as get_exponential_backoff_interval
from celeriac_celery.moments import humanize_seconds as humanize_seconds
from celeriac_celery.moments import is_naive as is_naive
from celeriac_celery.moments import localize as localize
from celeriac_celery.moments import make_aware as make_aware
from celeriac_celery.moments import maybe_iso8601 as maybe_iso8601
from celeriac_celery.moments import maybe_make_aware as maybe_make_aware
from celeriac_celery.moments import maybe_timedelta as maybe_timedelta
from celeriac_celery.moments import parse_iso8601 as parse_iso8601
from celeriac_celery.moments import rate as rate
from celeriac_celery.moments import remaining as remaining
from celeriac_celery.moments import subtract_datetimes as subtract_datetimes
from celeriac_celery.moments import timezone as timezone
from celeriac_celery.moments import to_utc as to_utc
from celeriac_celery.moments import utcoffset as utcoffset
from celeriac_celery.moments import weekday as weekday
