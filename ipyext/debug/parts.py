"""All that only a kernel that is debugged needs. Whoever imports this imports the debugger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ipyext.debug.client import Debugger
from ipyext.debug.router import DebugRouter
from ipyext.debug.server import DebugServer
from ipyext.debug.session import Session

if TYPE_CHECKING:
    from ipyext.shells.engine import Engine
    from ipyext.threads.loop_thread import LoopThread


class Parts(NamedTuple):
    """What there is of the debugger.

    Attributes:
        router: the debug router.
        server: its TCP port.
        session: its client in this kernel.
        client: the same for people: `ipyext.debugger()`.
    """

    router: DebugRouter
    server: DebugServer
    session: Session
    client: Debugger


def make_parts(engine: Engine, thread: LoopThread, debugpy: Any) -> Parts:
    """Make them. The debug router's thread, which is `thread`."""
    router = DebugRouter(engine, thread, debugpy)
    server = DebugServer(router)
    session = Session(engine, router)
    return Parts(router, server, session, Debugger(engine, router, server, session))
