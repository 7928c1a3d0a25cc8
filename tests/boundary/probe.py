"""Runs inside a kernel process: what the extension may change, recorded by identity.

The client (`tests/boundary/stock.py`) executes this file's text there as the module `probe`. It
imports nothing of ipyext. A snapshot maps a path such as ``kernel.do_execute`` to the raw object,
which it keeps alive: a wrapt wrapper compares equal to what it wraps, and an address can be used
again, so only `is` between living objects tells whether something was put back.
"""

from __future__ import annotations

import _signal
import asyncio
import builtins
import collections
import gc
import getpass
import os
import signal
import subprocess
import sys
import threading
import time
import types
from collections.abc import Iterator
from typing import Any

import zmq
from zmq.eventloop.zmqstream import ZMQStream

snapshots: dict[str, dict[str, Any]] = {}
notes: dict[str, Any] = {}  # for the tests: what their cells want to keep in the process

MISSING = types.SimpleNamespace(name="missing")

# What cells change in a stock kernel as well. Left out knowingly:
VOLATILE = {
    "kernel": {
        # the request that is being answered
        "_parents",
        "_parent_ident",
        "_parent_header",
        "_control_parent",
        "_control_parent_ident",
        "_shell_parent",
        "_shell_parent_ident",
        "_allow_stdin",
        "_shell_context",
        # kept until the cell ends; `handlers` looks at those by hand
        "_sys_raw_input",
        "_save_getpass",
        "_sys_eval_input",
        "saved_sigint_handler",
        # queues and counters
        "msg_queue",
        "_message_counter",
        "execution_count",
        "_aborting",
        "_do_exec_result",
        "_new_threads_parent_header",
        "_thread_to_parent_header",
        "_control_task",
        "_process",
        "_parent_header_default",
        "processes",
        "_ports",
    },
    "ip": {
        # what the last cell left: results, history, counters, flags
        "execution_count",
        "last_execution_result",
        "last_execution_succeeded",
        "_last_traceback",
        "_last_traceback_during_displayhook",
        "showing_traceback",
        "_last_input_line",
        "parent_header",
        "_parent_header_global",
        "_tee_old",
        "_inside",
        "_main_mod_cache",
        "exit_now",
        "keepkernel_on_exit",
        "_user_obj_error",
        "tempfiles",
        "tempdirs",
        "syntax_error_buffer",
        "user_ns_hidden",
        "indent_current_nsp",
        "_reply_content",
    },
    "displayhook": {
        # the result of the running cell
        "msg",
        "parent_header",
        "_parent_header",
        "_parent_header_global",
        "_is_active",
        "exec_result",
        "_",
        "__",
        "___",
        "quiet",
    },
    "display_pub": {
        "parent_header",
        "_parent_header",
        "_parent_header_global",
        "_is_publishing",
        "_in_post_execute",
    },
    "session": {"message_count", "digest_history", "none"},
    "stdout": {
        # buffers and timers of the text in flight; ids of requests
        "_buffer",
        "_buffers",
        "_flush_pending",
        "_subprocess_flush_pending",
        "parent_header",
        "_parent_header",
        "_thread_to_parent",
        "_thread_to_parent_header",
        "_parent_header_global",
        "_fid",
        "_new_buffer",
        # IPython 9's _tee leaves an instance attribute after every cell; see `writers`
        "write",
    },
    "iopub_thread": {"_events", "_local"},
    "control_thread": set(),
    "stream": {
        # state of the moment; flush() registers in `poller`, every send leaves a no-op callback
        "_state",
        "_flushed",
        "_send_queue",
        "poller",
        "_send_callback",
    },
    "io_loop": {"_timeouts", "_callbacks", "_timeout_counter", "_pending_tasks"},
}
VOLATILE["stderr"] = VOLATILE["stdout"]


def kernel() -> Any:
    return ip().kernel


def ip() -> Any:
    from IPython.core.interactiveshell import InteractiveShell

    return vars(InteractiveShell)["_instance"] or _subclass_instance()


def _subclass_instance() -> Any:
    from ipykernel.zmqshell import ZMQInteractiveShell

    return vars(ZMQInteractiveShell)["_instance"]


def handlers() -> dict[str, Any]:
    """The signal handlers in force now and those that the kernel puts back after the cell.

    Asked in C: `signal.getsignal` is one of the functions that a load changes.
    """
    return {
        "SIGINT": _signal.getsignal(signal.SIGINT),
        "SIGTERM": _signal.getsignal(signal.SIGTERM),
        "saved SIGINT": getattr(kernel(), "saved_sigint_handler", MISSING),
    }


def writers(in_cell: bool) -> Iterator[tuple[str, Any]]:
    """What `print` reaches. Inside a cell IPython 9 has a closure of its own there, per cell."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if not (in_cell and hasattr(ip(), "_tee")):
            yield f"sys.{name}.write", stream.write
        yield f"sys.{name}.flush", stream.flush


def _table(path: str, table: Any, skip: Any = ()) -> Iterator[tuple[str, Any]]:
    for name, value in list(table.items()):
        if name not in skip:
            yield from _value(f"{path}[{name!r}]", value)


def _object(path: str, thing: Any, kind: str | None = None) -> Iterator[tuple[str, Any]]:
    """The attributes stored on an object itself, and its trait values."""
    skip = VOLATILE.get(kind or path, set())
    for name, value in list(vars(thing).items()):
        if name == "_trait_values":
            yield from _table(f"{path}.traits", value, skip)
        elif name not in skip and name != "_cross_validation_lock":
            yield from _value(f"{path}.{name}", value)


def _value(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    yield path, value
    if type(value) is list:
        yield f"{path}: items", tuple(value)


def _class(cls: type) -> Iterator[tuple[str, Any]]:
    for name, value in list(vars(cls).items()):
        # caches of abc and of weak references, changed by any isinstance()
        if name not in ("_abc_impl", "_abc_registry", "_abc_cache", "_abc_negative_cache"):
            yield f"{cls.__module__}.{cls.__qualname__}.{name}", value


def _classes() -> list[type]:
    from ipykernel.displayhook import ZMQShellDisplayHook
    from ipykernel.iostream import BackgroundSocket, IOPubThread, OutStream
    from ipykernel.zmqshell import ZMQDisplayPublisher
    from IPython.core.builtin_trap import BuiltinTrap
    from IPython.core.display_trap import DisplayTrap
    from IPython.core.history import HistoryManager
    from jupyter_client.session import Session

    found = [
        *type(kernel()).__mro__,
        *type(ip()).__mro__,
        OutStream,
        IOPubThread,
        BackgroundSocket,
        ZMQDisplayPublisher,
        ZMQShellDisplayHook,
        Session,
        DisplayTrap,
        BuiltinTrap,
        HistoryManager,
        threading.Thread,
        subprocess.Popen,
        ZMQStream,
        zmq.Socket,
        type(kernel().io_loop),
    ]
    for name in ("ipykernel.subshell_manager", "ipykernel.shellchannel", "ipykernel.subshell"):
        module = sys.modules.get(name)
        if module is not None:
            found += [thing for thing in vars(module).values() if isinstance(thing, type)]
    return [cls for cls in dict.fromkeys(found) if cls is not object]


def streams() -> dict[str, Any]:
    """The kernel's ZMQStreams by name."""
    found = {}
    for name in ("shell_stream", "control_stream", "debugpy_stream"):
        stream = getattr(kernel(), name, None)
        if isinstance(stream, ZMQStream):
            found[name] = stream
    for number, stream in enumerate(getattr(kernel(), "shell_streams", None) or ()):
        found[f"shell_streams{number}"] = stream
    manager = subshell_manager()
    if manager is not None:
        for side in ("_main_to_shell_channel", "_shell_channel_to_main"):
            pair = getattr(manager, side)
            for end in ("from_stream", "to_stream"):
                stream = getattr(pair, end, None)
                if isinstance(stream, ZMQStream):
                    found[f"{side}.{end}"] = stream
    return found


def subshell_manager() -> Any:
    thread = getattr(kernel(), "shell_channel_thread", None)
    return None if thread is None else thread.manager


def loops() -> dict[str, Any]:
    found = {"main": kernel().io_loop}
    for name in ("control_thread", "shell_channel_thread", "iopub_thread"):
        thread = getattr(kernel(), name, None)
        if thread is not None:
            found[name] = thread.io_loop
    return found


def _instances() -> Iterator[tuple[str, Any]]:
    k, shell = kernel(), ip()
    yield from _object("kernel", k)
    yield from _object("ip", shell)
    yield from _object("session", k.session)
    yield from _object("displayhook", shell.displayhook)
    yield from _object("display_pub", shell.display_pub)
    yield from _object("display_trap", shell.display_trap)
    yield from _object("builtin_trap", shell.builtin_trap)
    yield from _object("iopub_thread", k.iopub_thread)
    yield from _object("iopub_socket", k.iopub_socket)
    yield from _object("stdout", sys.stdout)
    yield from _object("stderr", sys.stderr)
    for name in ("control_thread", "shell_channel_thread"):
        thread = getattr(k, name, None)
        if thread is not None:
            yield from _object(name, thread)
    manager = subshell_manager()
    if manager is not None:
        yield from _object("subshell_manager", manager)
        yield from _table("subshell_manager._cache", manager._cache)
    for name, stream in streams().items():
        yield from _object(name, stream, "stream")
        registered = {id(s) for s, _ in stream.poller.sockets} - {id(stream.socket)}
        yield f"{name}.poller: foreign sockets", tuple(sorted(registered))
    for name, loop in loops().items():
        yield from _object(f"loop of {name}", loop, "io_loop")
        descriptors = {fd for fd in getattr(loop, "handlers", {}) if isinstance(fd, int)}
        yield f"loop of {name}: descriptors", tuple(sorted(descriptors))


def _tables(in_cell: bool) -> Iterator[tuple[str, Any]]:
    k, shell = kernel(), ip()
    yield from _table("control_handlers", k.control_handlers)
    yield from _table("shell_handlers", k.shell_handlers)
    for kind, table in shell.magics_manager.magics.items():
        yield from _table(f"magics.{kind}", table)
    yield from _table("magics.registry", shell.magics_manager.registry)
    dispatcher = shell.strdispatchers["complete_command"]
    yield from _table("completers", dispatcher.strs)
    yield "completers by regex", tuple(dispatcher.regexs)
    for event, callbacks in shell.events.callbacks.items():
        for number, callback in enumerate(callbacks):
            yield f"events.{event}[{number}]", callback
    yield "user_ns['get_ipython']", shell.user_ns["get_ipython"]
    yield "extensions", tuple(sorted(shell.extension_manager.loaded))
    # `_` of a result; what the inputs and traps put there is there in both snapshots
    yield from _table("builtins", vars(builtins), {"_"})
    for module in (time, getpass, os, subprocess, threading, signal):
        # counters and tables of the threads and processes of the moment
        skip = {
            "_counter",
            "_active",
            "_dangling",
            "_limbo",
            "_cleanup",
            "_shutdown_locks",
            "_active_manager",
        }
        yield from _table(module.__name__, vars(module), skip)
    for name in ("displayhook", "excepthook", "unraisablehook", "stdout", "stderr", "stdin"):
        yield f"sys.{name}", vars(sys)[name]
    yield "sys.__class__", type(sys)
    yield "sys.meta_path: items", tuple(sys.meta_path)
    yield "sys.path_hooks: items", tuple(sys.path_hooks)
    yield "sys.gettrace", sys.gettrace()
    yield "sys.getprofile", sys.getprofile()
    yield "switch interval", sys.getswitchinterval()
    yield "event loop policy", type(asyncio.get_event_loop_policy())
    yield from writers(in_cell)
    for name, handler in handlers().items():
        # Between cells ipykernel keeps the last one it put back; it means nothing then.
        if in_cell or name != "saved SIGINT":
            yield f"handler {name}", handler


def collect(in_cell: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for cls in _classes():
        found.update(_class(cls))
    found.update(_instances())
    found.update(_tables(in_cell))
    return found


def take(name: str, in_cell: bool = True) -> None:
    snapshots[name] = collect(in_cell)


def take_between_cells_on_signal() -> None:
    """SIGUSR1 takes the snapshot that `notes['signal']` names, on main, whatever main does."""

    def handler(number: int, frame: Any) -> None:
        take(notes["signal"], in_cell=False)

    signal.signal(signal.SIGUSR1, handler)


def same(one: Any, other: Any) -> bool:
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if type(one) in (types.MethodType, types.BuiltinMethodType):
        # made anew by every access
        if one.__self__ is not other.__self__:
            return False
        if type(one) is types.MethodType:
            return one.__func__ is other.__func__
        return bool(one.__name__ == other.__name__)
    if type(one) is tuple:
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) in (int, float, str, bytes, complex) and one == other


def differences(before: str, after: str) -> list[str]:
    """What is not the same object as before, one line each."""
    old, new = snapshots[before], snapshots[after]
    found = []
    for path in dict.fromkeys([*old, *new]):
        one, other = old.get(path, MISSING), new.get(path, MISSING)
        if not same(one, other):
            found.append(f"{path}: was {_show(one)}, is {_show(other)}")
    return found


def forget(name: str) -> None:
    """Let go of the objects of a snapshot."""
    del snapshots[name]


def _show(thing: Any) -> str:
    if thing is MISSING:
        return "missing"
    try:
        text = repr(thing)
    except ReferenceError:  # a proxy of something that is gone
        text = "gone"
    return f"{type(thing).__name__} {object.__repr__(thing)} {text[:80]}"


def thread_names() -> list[str]:
    return sorted(thread.name for thread in threading.enumerate())


def descriptors() -> dict[str, int]:
    """Open descriptors by kind, without the one that lists them."""
    found: collections.Counter[str] = collections.Counter()
    for number in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{number}")
        except OSError:
            continue
        # Not the directory being listed, and not what SQLite opens and closes for the history.
        if "/fd" not in target and "profile_default" not in target:
            found[target.split(":")[0]] += 1
    return dict(found)


def sockets() -> int:
    """ZeroMQ sockets of the kernel's context that are open."""
    gc.collect()
    context = kernel().iopub_thread.socket.context
    return sum(
        1
        for thing in gc.get_objects()
        if issubclass(type(thing), zmq.Socket) and not thing.closed and thing.context is context
    )


def event_pipes() -> int:
    """Sockets that ipykernel 6.30 on opens for every thread that prints.

    It closes those of ended threads some ten seconds later, so they say nothing about us.
    """
    return len(getattr(kernel().iopub_thread, "_event_pipes", ()))


def resources() -> dict[str, Any]:
    gc.collect()
    kinds = descriptors()
    kinds["anon_inode"] -= event_pipes()
    return {
        "threads": thread_names(),
        "descriptors": kinds,
        "sockets": sockets() - event_pipes(),
        # atexit keeps its callbacks alive, so do tables, threads and loops
        "ours": ours(),
    }


def ours() -> list[str]:
    """Instances of the extension's own classes that are alive, by class name."""
    kinds = ("Engine", "ChildShell", "LoopThread", "Ledger", "Host")
    return sorted(
        type(thing).__name__
        for thing in gc.get_objects()
        if type(thing).__name__ in kinds and type(thing).__module__.startswith("ipyext")
    )
