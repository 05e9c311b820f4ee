"""Made by `make stubs`: where each name is."""

from celeriac.exceptions import *
from kombu.exceptions import BatchPublishError as BatchPublishError
from kombu.exceptions import ChannelError as ChannelError
from kombu.exceptions import ChannelLimitExceeded as ChannelLimitExceeded
from kombu.exceptions import ConnectionError as ConnectionError
from kombu.exceptions import ConnectionLimitExceeded as ConnectionLimitExceeded
from kombu.exceptions import DecodeError as DecodeError
from kombu.exceptions import EncodeError as EncodeError
from kombu.exceptions import HttpError as HttpError
from kombu.exceptions import InconsistencyError as InconsistencyError
from kombu.exceptions import KombuError as KombuError
from kombu.exceptions import LimitExceeded as LimitExceeded
from kombu.exceptions import MessageStateError as MessageStateError
from kombu.exceptions import NotBoundError as NotBoundError
from kombu.exceptions import ResourceError as ResourceError
from kombu.exceptions import SerializerNotInstalled as SerializerNotInstalled
from kombu.exceptions import VersionMismatch as VersionMismatch
