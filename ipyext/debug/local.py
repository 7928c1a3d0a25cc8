"""What the router answers itself, without debugpy: cells, sources, modules, variables.

Everything here belongs to the debug router thread; what may take long runs in threads of its own.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import platform
import re
import sys
from collections import deque
from collections.abc import Iterator
from keyword import iskeyword
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipyext.debug.hits import places
from ipyext.debug.parties import Message, Party
from ipyext.debug.reports import NOT_KNOWN
from ipyext.debug.rich import bundle, bundles
from ipyext.errors import IpyextError, said
from ipyext_patches import PatchError

if TYPE_CHECKING:
    from ipyext.debug.router import DebugRouter
    from ipyext.shells.engine import Engine

log = logging.getLogger("ipyext.debug")

# Names of IPython's that ipykernel's debugger does not show either.
_HIDDEN = re.compile(
    r"(__(name|doc|package|loader|spec|annotations|builtins|builtin|display)__|get_ipython|debugpy"
    r"|exit|quit|open|In|Out|_oh|_dh|_{1,3}|_\d+|_i.*)\Z"
)


_OURS = (IpyextError, PatchError)


class LocalAnswers:
    """Answers `Local` requests, and tells the multiplexer about the kernel."""

    def __init__(self, engine: Engine, router: DebugRouter) -> None:
        self._engine = engine
        self._host = engine.host
        self._router = router
        self._explorers: deque[Any] = deque(maxlen=32)
        self._modules_of: tuple[str, ...] = ()
        self._files: list[Message] = []

    # -- around a session ----------------------------------------------------------------------

    def before_start(self) -> None:
        """Cells become files, with all their lines, and so do those that ran before."""
        self._host.keep_blank_lines(True)
        for code in self._engine.inputs():
            self._write(self._host.cells.as_compiled(code))

    def after_stop(self) -> None:
        """As before."""
        self._host.keep_blank_lines(False)
        self._explorers.clear()

    def _write(self, code: str) -> None:
        try:
            self._host.cells.write(code)
        except Exception as error:
            log.warning("%s", error)

    def info(self) -> Message:
        """The constant part of debugInfo."""
        return {
            "hashMethod": "Murmur2",
            "hashSeed": self._host.cell_seed,
            "tmpFilePrefix": self._host.cell_prefix,
            "tmpFileSuffix": ".py",
            "richRendering": True,
            "exceptionPaths": ["Python Exceptions"],
            "copyToGlobals": True,
        }

    def attach_options(self) -> Message:
        """What debugpy is told besides what clients ask for."""
        mine_only = bool(getattr(self._host.kernel, "debug_just_my_code", False))
        return {
            "justMyCode": mine_only,
            "debugOptions": [] if mine_only else ["DebugStdLib"],
            "rules": [{"path": p, "include": False} for p in self._host.internal_paths()],
            "redirectOutput": False,
            "subProcess": False,
            "logToFile": False,
        }

    def turned_down(self, thread: int) -> frozenset[int]:
        """Which breakpoints did not want the stop of a thread."""
        found = dict(self._router.debugpy.threads()).get(thread)
        return frozenset() if found is None else places.turned_down(found.ident or 0)

    def threads(self) -> list[Message]:
        """People's threads: the stopped first, then main, then the children, then others."""
        stopped = list(self._router.core.stopped)
        found = []
        for number, thread in self._router.debugpy.threads():
            shell = self._engine.shell_of(thread)
            if shell is not None:
                name = "main" if shell is self._engine.parent else f"subshell {shell.label}"
                rank = 0 if shell is self._engine.parent else 1
            else:
                name, rank = thread.name, 2
            if number in stopped:
                rank = stopped.index(number) - len(stopped)
            found.append((rank, number, name))
        return [{"id": number, "name": name} for _, number, name in sorted(found)]

    # -- requests ------------------------------------------------------------------------------

    async def answer(self, party: Party, request: Message) -> None:
        """Answer a request that the multiplexer has handed out."""
        arguments = request.get("arguments") or {}
        do, core = self._router.do, self._router.core
        try:
            handler = getattr(self, f"_{request['command']}")
            body = await handler(party, request, arguments)
        except _Handed:
            return
        except (TypeError, ValueError, LookupError) as error:
            do(core.fail, party, request, f"{request['command']}: {said(error)}")
        except Exception as error:
            log.debug("%s failed", request["command"], exc_info=True)
            why = str(error) if isinstance(error, _OURS) else said(error)
            do(core.fail, party, request, why)
        else:
            do(core.answer, party, request, body)

    async def _threads(self, party: Party, request: Message, arguments: Message) -> Message:
        return {"threads": self.threads()}

    async def _modules(self, party: Party, request: Message, arguments: Message) -> Message:
        names = tuple(sys.modules)
        if names != self._modules_of:  # looking at all of them takes some milliseconds
            self._modules_of, self._files = names, list(_files())
        found = self._files
        start = arguments.get("startModule") or 0
        count = arguments.get("moduleCount") or len(found)
        if start < 0 or count < 0:
            raise ValueError("startModule and moduleCount cannot be below 0")
        return {"modules": found[start : start + count], "totalModules": len(found)}

    async def _pause(self, party: Party, request: Message, arguments: Message) -> Message:
        threads = dict(self._router.debugpy.threads())
        number = arguments["threadId"]
        if party.adopts and number == NOT_KNOWN:
            number = self._what_runs(threads) or number
        thread = threads.get(number)
        if thread is None:
            raise LookupError(f"there is no thread {number}")
        shell = self._engine.shell_of(thread)
        if shell is not None and not shell.busy:
            raise LookupError(f"{shell.label} runs no cell, so there is nothing to pause")
        if number in self._router.core.stopped and not await self._goes_on(number):
            raise LookupError(f"thread {number} is stopped already")
        if self._router.core.stop_all:
            self._forward(party, request)
            raise _Handed
        self._router.pausing[number] = None if shell is None else shell.current
        self._router.debugpy.stops.pause(thread)
        return {}

    def _what_runs(self, threads: dict[int, Any]) -> int | None:
        """What a person sees running: main, else the subshell that was made last."""
        busy: dict[int, bool] = {}
        for number, thread in threads.items():
            shell = self._engine.shell_of(thread)
            if shell is not None and shell.busy:
                busy[number] = shell is self._engine.parent
        return max(busy, key=lambda number: (busy[number], number), default=None)

    async def _goes_on(self, number: int) -> bool:
        """Whether a thread that is stopped goes on now: it was told to a moment ago.

        debugpy forgets a pause that comes before that.
        """
        if not self._router.core.goes_on(number):
            return False
        running = asyncio.get_running_loop().create_future()

        def look() -> None:
            if number not in self._router.core.stopped and not running.done():
                running.set_result(None)

        with self._router.watched(look):
            try:
                await asyncio.wait_for(running, 1.0)
            except asyncio.TimeoutError:
                return False
        return True

    async def _dumpCell(self, party: Party, request: Message, arguments: Message) -> Message:
        return {"sourcePath": self._host.cells.write(arguments["code"])}

    async def _source(self, party: Party, request: Message, arguments: Message) -> Message:
        path = Path((arguments.get("source") or {}).get("path") or "")
        if not path.is_file():
            raise LookupError("source unavailable")
        return {"content": await self._router.in_thread(lambda: path.read_text("utf-8", "replace"))}

    async def _debugpySystemInfo(
        self, party: Party, request: Message, arguments: Message
    ) -> Message:
        version = ".".join(map(str, sys.version_info[:3]))
        return {
            "debugpy": {"version": self._host.versions.get("debugpy", "")},
            "python": {
                "version": version,
                "implementation": {
                    "name": sys.implementation.name,
                    "version": version,
                    "description": sys.version,
                },
            },
            "platform": {"name": sys.platform},
            "process": {"executable": sys.executable, "bitness": platform.architecture()[0]},
        }

    # -- variables -----------------------------------------------------------------------------

    def _explore(self, names: dict[str, Any]) -> list[Message]:
        """In a thread of its own: reprs may take long."""
        self._router.debugpy.load()
        explorer = self._router.debugpy.explorer(names)
        self._explorers.append(explorer)
        return list(explorer.variables() or [])

    async def _inspectVariables(
        self, party: Party, request: Message, arguments: Message
    ) -> Message:
        names = {
            name: value
            for name, value in dict(self._host.main.user_ns).items()
            if not _HIDDEN.match(str(name))
        }
        return {"variables": await self._router.in_thread(lambda: self._explore(names))}

    async def _variables(self, party: Party, request: Message, arguments: Message) -> Message:
        reference = arguments["variablesReference"]
        owner = next((one for one in self._explorers if one.owns(reference)), None)
        if owner is not None:
            found = await self._router.in_thread(lambda: owner.variables(reference))
            return {"variables": _shown(found)}

        def change(response: Message) -> Message:
            body = response.get("body") or {}
            return {**response, "body": {**body, "variables": _shown(body.get("variables") or [])}}

        self._forward(party, request, change if party.jupyter else None)
        raise _Handed

    async def _evaluate(self, party: Party, request: Message, arguments: Message) -> Message:
        expression = arguments["expression"]
        statements = arguments.get("context") == "repl"
        names = self._host.main.user_ns

        def run() -> Message:
            try:
                code = compile(expression.strip(), "<evaluate>", "eval")
            except SyntaxError:
                if not statements:
                    raise
                exec(compile(expression, "<evaluate>", "exec"), names)
                return {"result": "", "variablesReference": 0}
            value = eval(code, names)
            if value is None and statements:
                return {"result": "", "variablesReference": 0}
            found = self._explore({"result": value})[0]
            return {
                "result": found["value"],
                "type": found.get("type", ""),
                "variablesReference": found.get("variablesReference", 0),
            }

        def heard() -> Message:
            with self._router.hearing(functools.partial(self._router.core.say, party.key)):
                return run()

        return dict(await self._router.in_thread(heard if statements and party.echo else run))

    async def _richInspectVariables(
        self, party: Party, request: Message, arguments: Message
    ) -> Message:
        name = arguments["variableName"]
        empty: Message = {"data": {}, "metadata": {}}
        if not name.isidentifier():
            if name in ("special variables", "function variables"):
                return empty
            raise ValueError(f"{name!r} is no name of a variable")
        frame = arguments.get("frameId")
        format_ = self._host.main.display_formatter.format
        if frame is None or not self._router.core.stopped:
            value = self._host.main.user_ns[name]
            return dict(await self._router.in_thread(lambda: bundle(format_, value)))
        key = bundles.expect(format_)

        def change(response: Message) -> Message:
            made = bundles.take(key)
            return response if made is None else {**response, "body": made}

        wanted = {"expression": bundles.call(key, name), "frameId": frame, "context": "watch"}
        self._forward(party, request, change, ("evaluate", wanted))
        raise _Handed

    async def _copyToGlobals(self, party: Party, request: Message, arguments: Message) -> Message:
        new, old = arguments["dstVariableName"], arguments["srcVariableName"]
        for name in (new, old):
            if not name.isidentifier() or iskeyword(name):
                raise ValueError(f"{name!r} is no name of a variable")
        wanted = {
            "expression": f"globals()[{new!r}]",
            "value": old,
            "frameId": arguments["srcFrameId"],
        }
        self._forward(party, request, None, ("setExpression", wanted))
        raise _Handed

    def _forward(self, *args: Any) -> None:
        self._router.do(self._router.core.forward, *args)


def _files() -> Iterator[Message]:
    """The modules that are Python files."""
    for number, (name, module) in enumerate(list(sys.modules.items())):
        path = getattr(getattr(module, "__spec__", None), "origin", None)
        if isinstance(path, str) and path.endswith(".py"):
            yield {"id": number, "name": name, "path": path}


def is_hidden(name: object) -> bool:
    """Whether a global variable is IPython's or Python's, not the person's."""
    return _HIDDEN.match(str(name)) is not None


class _Handed(Exception):
    """The request is answered in another way."""


def _shown(variables: list[Message] | None) -> list[Message]:
    return [one for one in variables or [] if not is_hidden(one.get("name"))]
