"""ipykernel, every version: the kernel's own idea of the current request, per shell."""

from __future__ import annotations

import asyncio
import inspect
import sys
import threading
from typing import Any

from ipykernel import kernelbase
from ipykernel.kernelbase import Kernel

from ipyext_patches.ledger import Change, Ledger, SetAttribute
from ipyext_patches.loops import Living
from ipyext_patches.ports import Hooks
from ipyext_patches.spec import ITEM, Patch, function
from ipyext_patches.versions import Lane

HANDLERS = Patch(
    id="control.handlers",
    target="Kernel.control_handlers",
    what="Subshell requests and interrupts are answered by the engine.",
    why="ipykernel 7's own handlers wait for running cells; earlier versions have none.",
    upstream="JEP 91; ipykernel/kernelbase.py",
    shape=ITEM,
)
PARENT = Patch(
    id="kernel.parent",
    target="ipykernel.kernelbase.Kernel.get_parent (5.x: Kernel._parent_header)",
    what="Gives the request of the calling shell.",
    why="Comm messages, debug events and others take their parent from it.",
    upstream="ipykernel/kernelbase.py",
)
INFO = Patch(
    id="kernel.info",
    target="ipykernel.kernelbase.Kernel.kernel_info",
    what="Adds 'kernel subshells' to supported_features.",
    why="Front ends create subshells only if the kernel says that it has them.",
    upstream="JEP 91, JEP 92",
)
COUNT = Patch(
    id="kernel.execution-count",
    target="ipykernel.ipkernel.IPythonKernel.execution_count",
    what="Gives the count of the calling shell.",
    why="JEP 91: every subshell counts for itself; the stock count is shared.",
    upstream="JEP 91",
)
EXECUTE = Patch(
    id="kernel.do-execute",
    target="ipykernel.ipkernel.IPythonKernel.do_execute",
    what="Cells of child subshells run in the child's own InteractiveShell.",
    why="The stock method runs every cell in the one InteractiveShell there is.",
    upstream="ipykernel/ipkernel.py; JEP 91",
    shape=function("code", "silent", "store_history", "user_expressions", "allow_stdin"),
)
THREADS = Patch(
    id="kernel.new-threads",
    target="ipykernel.ipkernel.IPythonKernel._associate_new_top_level_threads_with (6.29 to 7.1)",
    what="New threads of main are associated with main's cells only.",
    why="The stock method takes the last request of any shell.",
    upstream="ipykernel/ipkernel.py; ipykernel#1289",
    shape=function("parent_header"),
)
CHILDREN = Patch(
    id="kernel.children-at-the-end",
    target="ipykernel.kernelbase.Kernel._progressively_terminate_all_children, _process_children "
    "(6.9 on)",
    what="A kernel that shuts down waits a second for its child processes, and then kills them. "
    "It leaves those to multiprocessing that this ends itself.",
    why="The stock method asks them for up to half a minute; a multiprocessing.Pool makes new ones "
    "meanwhile, and waits for good for the lock of a worker that was killed.",
    upstream="ipykernel/kernelbase.py",
)
SLEEP = Patch(
    id="kernel.execute-sleep",
    target="ipykernel.kernelbase.Kernel._execute_sleep",
    what="Cells of child subshells do not sleep for half a millisecond before their reply.",
    why="The sleep gives the iopub thread time; a child's output is handed over in order anyway.",
    upstream="ipykernel/kernelbase.py execute_request",
)
TURN = Patch(
    id="kernel.stock-turn",
    target="ipykernel.kernelbase.Kernel.pre_handler_hook and post_handler_hook",
    what="Tell us when main works on a request that the stock kernel took in before the load.",
    why="Main is busy then: the stop button means it, and questions must not wait for it.",
    upstream="ipykernel/kernelbase.py dispatch_shell",
    shape=function(),
)
ABORT = Patch(
    id="kernel.abort-queues",
    target="ipykernel.kernelbase.Kernel._abort_queues",
    what="An error aborts what is queued behind it in the same shell, for stop_on_error_timeout.",
    why="Routing is ours, so the queues are; the stock timeout is ignored since 7.0.",
    upstream="ipykernel/kernelbase.py",
)
ASK = Patch(
    id="stdin.request",
    target="ipykernel.kernelbase.Kernel._input_request",
    what="Sends input_request through the owner of the stdin socket and waits for its own reply.",
    why="The stock method reads whatever comes in: two shells that ask swap their answers.",
    upstream="ipykernel/kernelbase.py; ipykernel#452",
    shape=function("prompt", "ident", "parent", "password"),
)

_PATIENCE = 1.0  # seconds


def changes(ledger: Ledger, hooks: Hooks, kernel: Any, lane: Lane) -> list[Change]:
    """The changes to the kernel object itself (lane: its major version)."""
    return [
        *_threads(ledger, hooks, kernel),
        *_turns(ledger, hooks, kernel),
        *_children(ledger, kernel),
        _parent(ledger, hooks, kernel, lane),
        _info(ledger, hooks, kernel),
        _count(ledger, hooks, kernel),
        _sleep(ledger, hooks, kernel),
        _execute(ledger, hooks, kernel, lane),
        SetAttribute(ABORT, kernel, "_abort_queues", _abort(ledger, kernel)),
        SetAttribute(ASK, kernel, "_input_request", _ask(ledger, hooks, kernel)),
    ]


def _threads(ledger: Ledger, hooks: Hooks, kernel: Any) -> list[Change]:
    name = "_associate_new_top_level_threads_with"
    if not hasattr(kernel, name):
        return []
    original = getattr(kernel, name)

    def associate(parent_header: Any) -> None:
        if not ledger.switch.on or hooks.current() is None:
            original(parent_header)

    return [SetAttribute(THREADS, kernel, name, associate)]


def _turns(ledger: Ledger, hooks: Hooks, kernel: Any) -> list[Change]:
    before, after = kernel.pre_handler_hook, kernel.post_handler_hook

    def told() -> bool:
        # A stock subshell's thread calls them, too.
        return ledger.switch.on and threading.current_thread() is threading.main_thread()

    def pre_handler_hook() -> None:
        before()
        if told():
            hooks.main_begins()

    def post_handler_hook() -> None:
        if told():
            hooks.main_ends()
        after()

    return [
        SetAttribute(TURN, kernel, "pre_handler_hook", pre_handler_hook),
        SetAttribute(TURN, kernel, "post_handler_hook", post_handler_hook),
    ]


def _parent(ledger: Ledger, hooks: Hooks, kernel: Any, lane: Lane) -> Change:
    def here(channel: str | None = None) -> Any:
        context = hooks.current() if ledger.switch.on else None
        if context is not None and channel in (None, context.channel):
            return context.message
        return None

    if lane == 5:
        trait: Any = vars(Kernel)["_parent_header"]

        def get(instance: Any) -> Any:
            message = here()
            return trait.__get__(instance, type(instance)) if message is None else message

        def put(instance: Any, value: Any) -> None:
            trait.__set__(instance, value)

        return SetAttribute(PARENT, Kernel, "_parent_header", property(get, put))

    original = kernel.get_parent

    def get_parent(channel: str | None = None) -> Any:
        message = here(channel)
        return original(channel) if message is None else message

    return SetAttribute(PARENT, kernel, "get_parent", get_parent)


def _info(ledger: Ledger, hooks: Hooks, kernel: Any) -> Change:
    cls = type(kernel)
    original: Any = cls.kernel_info

    def kernel_info(instance: Any) -> Any:
        info = original.__get__(instance, cls)
        return hooks.kernel_info(info) if ledger.switch.on and instance is kernel else info

    return SetAttribute(INFO, cls, "kernel_info", property(kernel_info))


def _count(ledger: Ledger, hooks: Hooks, kernel: Any) -> Change:
    cls = type(kernel)
    original: Any = cls.execution_count

    def get(instance: Any) -> Any:
        context = hooks.current() if ledger.switch.on else None
        if context is not None and context.interactive is not None:
            return context.interactive.execution_count
        return original.__get__(instance, cls)

    def put(instance: Any, value: Any) -> None:
        original.__set__(instance, value)

    return SetAttribute(COUNT, cls, "execution_count", property(get, put))


def _sleep(ledger: Ledger, hooks: Hooks, kernel: Any) -> Change:
    trait: Any = inspect.getattr_static(type(kernel), "_execute_sleep")

    def get(instance: Any) -> Any:
        in_child = ledger.switch.on and hooks.current() is not None
        return 0.0 if in_child else trait.__get__(instance, type(instance))

    def put(instance: Any, value: Any) -> None:
        trait.__set__(instance, value)

    return SetAttribute(SLEEP, type(kernel), "_execute_sleep", property(get, put))


def _children(ledger: Ledger, kernel: Any) -> list[Change]:
    name = "_progressively_terminate_all_children"
    stock: Any = kernelbase
    original = getattr(kernel, name, None)
    if not inspect.iscoroutinefunction(original):
        return []

    async def terminate() -> None:
        if not ledger.switch.on:
            await original()
            return
        try:
            await asyncio.wait_for(original(), _PATIENCE)
        except asyncio.TimeoutError:
            kernel._signal_children(stock.SIGKILL)

    find = kernel._process_children

    def processes() -> list[Any]:
        left = _left_to_multiprocessing()
        return [process for process in find() if process.pid not in left]

    return [
        SetAttribute(CHILDREN, kernel, name, terminate),
        SetAttribute(CHILDREN, kernel, "_process_children", processes),
    ]


def _left_to_multiprocessing() -> set[int | None]:
    """The processes that multiprocessing ends as this one ends: workers of pools, for example.

    A worker that is killed while it waits for work has a lock, for which the pool waits for good.
    """
    if "multiprocessing.process" not in sys.modules:
        return set()
    import multiprocessing

    left = {child.pid for child in multiprocessing.active_children() if child.daemon}
    tracker = sys.modules.get("multiprocessing.resource_tracker")
    if tracker is not None:
        left.add(tracker._resource_tracker._pid)
    return left


def _execute(ledger: Ledger, hooks: Hooks, kernel: Any, lane: Lane) -> Change:
    original = kernel.do_execute
    names = ("code", "silent", "store_history", "user_expressions", "allow_stdin")

    def do_execute(*args: Any, **kwargs: Any) -> Any:
        context = hooks.current() if ledger.switch.on else None
        if not ledger.switch.on:
            return original(*args, **kwargs)
        coroutine: Any
        if context is None:
            coroutine = hooks.execute_main(lambda: original(*args, **kwargs))
            return asyncio.ensure_future(coroutine) if lane == 5 else coroutine
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        coroutine = hooks.execute_child(context, given)
        if lane > 5:
            return coroutine
        # ipykernel 5 awaits with tornado's maybe_future, which takes futures only.
        return Living(coroutine, loop=asyncio.get_running_loop())

    do_execute.__wrapped__ = original  # type: ignore[attr-defined]  # keeps its signature visible
    return SetAttribute(EXECUTE, kernel, "do_execute", do_execute)


def _abort(ledger: Ledger, kernel: Any) -> Any:
    original = kernel._abort_queues

    def abort_queues(*args: Any, **kwargs: Any) -> Any:
        # The engine has done so before the reply, see `Hooks.cell_ended`.
        return None if ledger.switch.on else original(*args, **kwargs)

    return abort_queues


def _ask(ledger: Ledger, hooks: Hooks, kernel: Any) -> Any:
    original = kernel._input_request

    def input_request(prompt: str, ident: Any, parent: Any, password: bool = False) -> Any:
        if not ledger.switch.on:
            return original(prompt, ident, parent, password)
        return hooks.ask_main(prompt, password, ident, parent)

    return input_request
