"""%debugctl: the debugger from cells."""

from __future__ import annotations

import html
import socket
from argparse import Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_magic, magics_class, no_var_expand

from ipyext.debug.capabilities import FILTERS
from ipyext.errors import IpyextError
from ipyext.magics.actions import documented
from ipyext.magics.debugctl_arguments import ACTIONS, DEBUGCTL
from ipyext.magics.tables import first_line, show, show_table
from ipyext.shells import view
from ipyext.shells.engine import Engine

if TYPE_CHECKING:  # imported when they are used: a kernel that starts has to wait for imports
    from ipyext.debug.client import Debugger
    from ipyext.debug.views import Client, Stop

_WILDCARDS = ("0.0.0.0", "::")
_OF_THREADS = ("where", "pause", "continue", "next", "step", "finish", "locals", "stacks")


@magics_class
class DebugctlMagics(Magics):
    """%debugctl. It runs in whatever shell its cell runs in."""

    def __init__(self, shell: Any, engine: Engine) -> None:
        super().__init__()  # without the shell, which would keep this object for good
        self.shell: Any = shell
        self._engine = engine

    @property
    def _debugger(self) -> Debugger:
        return self._engine.debug.parts.client

    @no_var_expand
    @line_magic("debugctl")  # type: ignore[arg-type]
    @documented(DEBUGCTL.overview())
    def debugctl(self, line: str) -> None:
        name, arguments = DEBUGCTL.parse(line)
        if arguments.help:
            print(arguments.help, end="")  # noqa: T201
            return
        try:
            getattr(self, f"_{name}")(arguments)
        except IpyextError as error:
            raise UsageError(str(error)) from None

    # -- the session ---------------------------------------------------------------------------

    def _status(self, arguments: Namespace) -> None:
        found = self._debugger.status()
        mine = "" if found.state != "on" or found.attached else ", but not for this client"
        rows = [
            ("debugger", found.state + mine),
            ("clients", ", ".join(_client(one) for one in found.clients)),
            ("stopped", ", ".join(f"{one.label} ({one.stopped})" for one in found.stopped)),
            ("breakpoints", f"{found.breakpoints} of this client"),
            ("listens on", _address(*found.address) if found.address else "no port"),
            ("a breakpoint stops", "all threads" if found.stop == "all" else "its thread only"),
        ]
        note = "" if found.attached else "%debugctl start to debug; %debugctl --help for the rest."
        show_table(("", ""), rows, note)

    def _start(self, arguments: Namespace) -> None:
        self._debugger.start()
        print("The debugger is on.")  # noqa: T201

    def _stop(self, arguments: Namespace) -> None:
        self._debugger.stop()
        state = self._debugger.status().state
        print(  # noqa: T201
            "This client debugs no more; others still do."
            if state == "on"
            else "The debugger is off: nothing is traced."
        )

    def _clients(self, arguments: Namespace) -> None:
        rows = [
            (one.name, one.kind, one.program, one.state, one.breakpoints)
            for one in self._debugger.clients()
        ]
        show_table(("client", "kind", "program", "state", "breakpoints"), rows)

    def _config(self, arguments: Namespace) -> None:
        what = self._debugger.config(arguments.stop)
        print(f"stop={what}")  # noqa: T201

    def _listen(self, arguments: Namespace) -> None:
        from ipyext.debug import launch
        from ipyext.magics.debugctl_views import show_texts

        host, port = self._debugger.listen(arguments.host, arguments.port, arguments.force)
        reached = socket.gethostname() if host in _WILDCARDS else host
        head = f"Listening on {_address(host, port)}. Attach an editor:"
        show_texts(head, launch.everything(reached, port))

    def _unlisten(self, arguments: Namespace) -> None:
        self._debugger.unlisten()
        print("No port is open.")  # noqa: T201

    # -- threads -------------------------------------------------------------------------------

    def _threads(self, arguments: Namespace) -> None:
        rows = [(one.id, one.name, one.stopped or "") for one in self._debugger.threads()]
        show_table(("id", "thread", "stopped"), rows)

    def _where(self, arguments: Namespace) -> None:
        self._show(self._debugger.where(arguments.thread))

    def _show(self, stop: Stop) -> None:
        from ipyext.magics.debugctl_views import show_stop

        show_stop(stop, self._debugger.lines)

    def _pause(self, arguments: Namespace) -> None:
        stop = self._debugger.pause(arguments.thread)
        if stop is not None:
            self._show(stop)
            return
        print(  # noqa: T201
            f"{arguments.thread or 'main'} has not stopped yet: it is in native code, or waits. It "
            "stops as soon as it runs Python code; %debugctl where shows it then."
        )

    def _continue(self, arguments: Namespace) -> None:
        for one in self._debugger.resume(arguments.thread, every=arguments.all):
            print(f"{one.label} goes on.")  # noqa: T201

    def _next(self, arguments: Namespace) -> None:
        self._stepped(self._debugger.next(arguments.thread))

    def _step(self, arguments: Namespace) -> None:
        self._stepped(self._debugger.step(arguments.thread))

    def _finish(self, arguments: Namespace) -> None:
        self._stepped(self._debugger.finish(arguments.thread))

    def _stepped(self, stop: Stop | None) -> None:
        if stop is not None:
            self._show(stop)
        else:
            print(  # noqa: T201
                "It runs on and has not stopped again. %debugctl where shows it once it has."
            )

    def _stacks(self, arguments: Namespace) -> None:
        found = self._debugger.stacks()
        if arguments.shell:
            label = view.find(self._engine, arguments.shell).label
            text = found.of(label).as_text()
        else:
            text = found.as_text()
        show(text, f"<pre>{html.escape(text)}</pre>")

    # -- breakpoints ---------------------------------------------------------------------------

    def _break(self, arguments: Namespace) -> None:
        found = self._debugger.set_breakpoint(
            arguments.place, arguments.condition, arguments.log, arguments.hits
        )
        said = [f"Breakpoint {found.number} at {found.place}."]
        if not found.verified:
            said.append("It cannot be hit.")
        if found.message:
            said.append(found.message)
        print(*said)  # noqa: T201

    def _breakpoints(self, arguments: Namespace) -> None:
        rows = [
            (
                one.number,
                one.place,
                first_line(one.condition or ""),
                one.hits or "",
                first_line(one.log or ""),
                one.message or ("active" if one.verified else "not found"),
            )
            for one in self._debugger.breakpoints()
        ]
        show_table(("", "place", "if", "hits", "log", "state"), rows)

    def _clear(self, arguments: Namespace) -> None:
        count = self._debugger.clear(None if arguments.all else arguments.which)
        print(f"Removed {count} breakpoint{'s' * (count != 1)}.")  # noqa: T201

    def _exceptions(self, arguments: Namespace) -> None:
        found = self._debugger.exceptions(*arguments.which)
        print(f"Stops at exceptions: {', '.join(found) or 'none'}.")  # noqa: T201

    # -- looking -------------------------------------------------------------------------------

    def _locals(self, arguments: Namespace) -> None:
        found = self._debugger.locals(arguments.thread, arguments.frame)
        rows = [(one.name, one.type, first_line(one.value, 80)) for one in found]
        show_table(("name", "type", "value"), rows)

    def _eval(self, arguments: Namespace) -> None:
        found = self._debugger.eval(arguments.expression)
        if found:
            show(found, f"<pre>{html.escape(found)}</pre>")

    # -- completion ----------------------------------------------------------------------------

    def completers(self) -> dict[str, Callable[[Any], list[str]]]:
        """Custom completers by the first word of a line."""
        return {"%debugctl": self._complete}

    def _complete(self, event: Any) -> list[str]:
        words = event.line.split()
        if event.symbol:
            words = words[:-1]
        if len(words) <= 1:
            return list(ACTIONS)
        if words[1] in _OF_THREADS:
            found = ["main", *(child.label for child in self._engine.registry.all())]
            if words[1] == "continue":
                found.append("--all")
            return found
        if words[1] == "exceptions":
            return [*FILTERS, "none"]
        if words[1] == "config":
            return ["stop=all", "stop=thread"]
        if words[1] == "clear" and self._engine.debug.used:
            return [*(str(one.number) for one in self._debugger.breakpoints()), "--all"]
        return []


def _client(one: Client) -> str:
    named = f"{one.name} ({one.program})" if one.program else one.name
    return named if one.state == "attached" else f"{named}, {one.state}"


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
