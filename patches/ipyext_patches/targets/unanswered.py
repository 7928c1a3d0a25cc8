"""Requests that debugpy would not answer: their work ends with an exception, or is lost."""

from __future__ import annotations

import contextlib
import json
import queue
import traceback
from typing import Any

from ipyext_patches.ledger import Change, Ledger, Wrap
from ipyext_patches.ports import Hooks
from ipyext_patches.spec import Patch, function

ANSWER = Patch(
    id="debugger.answer",
    target="_pydevd_bundle.pydevd_comm.InternalThreadCommand.do_it",
    what="A request whose work ends with an exception, such as SystemExit, fails with that. What "
    "an expression prints is told to the client that has asked for it.",
    why="debugpy writes the exception to its log only, and the client waits for ever. Output goes "
    "to all clients, and so does what other threads print meanwhile.",
    upstream="pydevd.py PyDB.process_internal_commands",
    shape=function("dbg"),
)
REFUSE = Patch(
    id="debugger.refuse",
    target="_pydevd_bundle.pydevd_process_net_command_json.PyDevJsonCommandProcessor"
    ".process_net_command_json",
    what="A request that debugpy fails on while it reads it is answered with that.",
    why="The exception ends the thread that reads requests, and with it the session of all.",
    upstream="pydevd_comm.py ReaderThread._on_run",
    shape=function("py_db", "json_contents"),
)

CHANGE = Patch(
    id="debugger.change",
    target="_pydevd_bundle.pydevd_vars.change_attr_expression",
    what="A variable that cannot be set because its new value cannot be evaluated is not set, and "
    "the client is told why.",
    why="The client is told that it was set, and to what it was before.",
    upstream="pydevd_suspended_frames.py _FrameVariable.change_variable",
    shape=function("frame", "attr", "expression", "dbg"),
)
QUEUE = Patch(
    id="debugger.queue",
    target="pydevd.PyDB.get_internal_queue_and_event",
    what="Whoever asks for the queue of a thread's commands gets the same one.",
    why="Two threads that ask for it first, and at once, get one each: a thread that has just "
    "stopped for the first time never hears of its step, and stays stopped.",
    upstream="pydevd.py PyDB._cmd_queue, a defaultdict",
    shape=function("thread_id"),
)


def answer_failures(ledger: Ledger, hooks: Hooks) -> list[Change]:
    """Have such requests fail, and interrupts of the thread end its work on them. After `load`."""
    import pydevd
    from _pydevd_bundle import pydevd_comm, pydevd_vars
    from _pydevd_bundle.pydevd_process_net_command_json import PyDevJsonCommandProcessor

    def do_it(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        request = _request(instance)
        if request is None:
            return wrapped(*args, **kwargs)
        evaluation = None
        if request.command == "evaluate" and request.arguments.context == "repl":
            # debugpy would redirect the streams of the process, one evaluation at a time, and
            # tell everybody what any thread prints meanwhile.
            args[0].is_output_redirected = True
            evaluation = request.seq
        try:
            return hooks.debugger.at_work(lambda: wrapped(*args, **kwargs), evaluation)
        except BaseException as error:
            _fail(args[0], request.seq, request.command, _reason(error))
            return None

    def process(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        try:
            return wrapped(*args, **kwargs)
        except Exception as error:
            request = json.loads(args[1])
            _fail(args[0], request["seq"], request["command"], _reason(error))
            return None

    def change(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        frame, name, expression = args[:3]
        if frame is None or "." in name or "value" in kwargs:
            return wrapped(*args, **kwargs)
        value = eval(expression, frame.f_globals, frame.f_locals)  # what it raises is the answer
        return wrapped(*args, value=value, **kwargs)

    def commands(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        for table in (instance._cmd_queue, instance._thread_events):
            if args[0] not in table:
                table.setdefault(args[0], table.default_factory())  # one for all: in C
        return wrapped(*args, **kwargs)

    name, switch = "process_net_command_json", ledger.switch
    return [
        Wrap(QUEUE, pydevd.PyDB, "get_internal_queue_and_event", commands, switch),
        Wrap(ANSWER, pydevd_comm.InternalThreadCommand, "do_it", do_it, switch),
        Wrap(CHANGE, pydevd_vars, "change_attr_expression", change, switch),
        Wrap(REFUSE, PyDevJsonCommandProcessor, name, process, switch),
    ]


def fail_queued(debugger: Any, thread_name: Any) -> None:
    """A thread goes on: what it was asked while it was stopped is not done any more."""
    commands, _ = debugger.get_internal_queue_and_event(thread_name)
    others = []
    with contextlib.suppress(queue.Empty):
        while True:
            command = commands.get_nowait()
            request = _request(command)
            if request is None:
                others.append(command)
            else:
                _fail(debugger, request.seq, request.command, "The thread has gone on.")
    for command in others:
        commands.put(command)


def _request(command: Any) -> Any:
    """The DAP request that a command works for; None if it is no such command."""
    given = (
        *(getattr(command, "args", None) or ()),
        *(getattr(command, "kwargs", None) or {}).values(),
    )
    return next((one for one in given if hasattr(one, "command") and hasattr(one, "seq")), None)


def _reason(error: BaseException) -> str:
    said = traceback.format_exception_only(type(error), error)
    if isinstance(error, SyntaxError):
        said = said[-1:]  # without the code, which the client has sent
    return "".join(said).strip()


def _fail(debugger: Any, seq: int, command: str, why: str) -> None:
    from _pydevd_bundle.pydevd_comm_constants import CMD_RETURN
    from _pydevd_bundle.pydevd_net_command import NetCommand

    response = {
        "type": "response",
        "request_seq": seq,
        "success": False,
        "command": command,
        "message": why,
    }
    debugger.writer.add_command(NetCommand(CMD_RETURN, 0, response, is_json=True))
