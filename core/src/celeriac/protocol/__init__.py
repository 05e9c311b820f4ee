"""The wire format as pure functions and data: no I/O, no broker client, nothing but the standard library.

What comes from outside is read by functions that either return checked data or raise
:exc:`~celeriac.exceptions.ProtocolError` (:exc:`~celeriac.exceptions.SecurityError` where the content
tries to reach something it must not).  Import the module you need; this package imports none of them.
"""
