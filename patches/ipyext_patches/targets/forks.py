"""A process that is forked while the debugger is on: nothing there may stop, nobody could go on.

Only the forking thread lives on in it; the debugger's own threads, which talk to clients, do not.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import Any

from ipyext_patches.targets.tracing import MONITORED, clear_monitoring, untrace_this

_to_call: Callable[[], None] | None = None
_registered = False


def when_forked(call: Callable[[], None] | None) -> None:
    """Have `call` run in every process that is forked from now on; None: nothing any more.

    Python keeps a function that is registered for forks for good: there is one, which does
    nothing while there is no `call`.
    """
    global _to_call, _registered
    _to_call = call
    if not _registered and hasattr(os, "register_at_fork"):
        _registered = True
        os.register_at_fork(after_in_child=_forked)


def _forked() -> None:
    if _to_call is not None:
        _to_call()


def take_off(debugger: Any, thread_hook: Any) -> None:
    """Take pydevd off a process that was just forked. Takes no lock: its owner may be gone."""
    import pydevd_tracing
    from _pydevd_bundle.pydevd_constants import set_global_debugger

    debugger.created_pydb_daemon_threads = {}
    set_global_debugger(None)
    clear_monitoring()
    if MONITORED:
        from _pydevd_sys_monitoring import pydevd_sys_monitoring as monitoring

        monitoring.stop_monitoring(all_threads=True)
        return
    untrace_this(sys._getframe())
    pydevd_tracing.restore_sys_set_trace_func()
    threading.settrace(thread_hook)
