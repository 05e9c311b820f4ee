"""Made by `make stubs`: where each name is."""

from celeriac_amqp.backend import RpcBackend as _RPCBackend

RPCBackend = _RPCBackend
