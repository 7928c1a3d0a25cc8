"""ipykernel: every output under the cell that made it, in any thread."""

from __future__ import annotations

import _thread
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FunctionType, MethodType
from typing import Any

from ipykernel import _version, iostream
from ipykernel.displayhook import ZMQShellDisplayHook
from ipykernel.iostream import OutStream
from ipykernel.zmqshell import ZMQDisplayPublisher
from jupyter_client.session import extract_header

from ipyext_patches.ledger import Action, Change, Ledger, SetAttribute, Switch, Wrap
from ipyext_patches.loops import LoopCalls, alive, call_soon
from ipyext_patches.ports import Hooks
from ipyext_patches.spec import Patch, function

WRITE = Patch(
    id="output.write",
    target="ipykernel.iostream.OutStream.write",
    what="What a child subshell's cell prints is collected for that cell.",
    why="One parent header for the whole process: output of one shell shows under another's cell.",
    upstream="ipykernel/iostream.py; ipykernel#1289, #1450",
    shape=function("string"),
)
FLUSH = Patch(
    id="output.flush",
    target="ipykernel.iostream.OutStream.flush",
    what="In a child subshell, hands over what that cell printed and waits for nobody. In main, "
    "waits as before, but nothing stays locked if that is interrupted.",
    why="The stock flush knows one buffer and waits for the iopub thread. An interrupt at the end "
    "of its wait leaves a lock behind on which the iopub thread then hangs for good.",
    upstream="ipykernel/iostream.py",
    shape=function(),
)
SCHEDULE = Patch(
    id="output.schedule",
    target="ipykernel.iostream.IOPubThread.schedule",
    what="Wakes the iopub thread through its event loop.",
    why=(
        "The stock thread opens a ZeroMQ socket for every thread that ever prints: descriptors, "
        "memory, and the limit of 1,023 sockets."
    ),
    upstream="ipykernel/iostream.py",
    shape=function("f"),
)
SEND = Patch(
    id="output.send",
    target="ipykernel.iostream.IOPubThread.send_multipart",
    what="Drops what the cell of a deleted subshell still publishes.",
    why="Its request has had its error reply and its idle; clients take no more for it.",
    upstream="design: G1",
)
COPY = Patch(
    id="output.copy-at-exit",
    target="ipykernel.iostream.IOPubThread._really_send",
    what="While the process ends, large messages are copied before they are sent.",
    why=(
        "Sent without a copy they need pyzmq's collector thread. Once that has ended, the send "
        "fails at the large part, and the next message becomes the end of the broken one."
    ),
    upstream="zmq/utils/garbage.py; jupyter_client/session.py copy_threshold",
    shape=function("msg"),
)
RECORD = Patch(
    id="output.record",
    target="ipykernel.iostream.IOPubThread._really_send",
    what="Keeps what cells put out, for %subshell output.",
    why=(
        "What is published while no front end listens is lost: a page that was closed never shows "
        "what its cells have printed meanwhile."
    ),
    upstream="notebook#641; jupyterlab#2833; jupyter_server#1274",
    shape=function("msg"),
)
STREAM = Patch(
    id="output.stream-parent",
    target="ipykernel.iostream.OutStream.parent_header (6.29 on)",
    what="Finds the calling request, for writes that do not come by our way.",
    why="Someone may hold the stock `write` of sys.stdout; IPython 9 does around every cell.",
    upstream="ipykernel/iostream.py",
)
DISPLAY = Patch(
    id="output.display-parent",
    target="ipykernel.zmqshell.ZMQDisplayPublisher.parent_header",
    what="display(), update_display() and clear_output() find the calling request.",
    why="The stock value is that of the last request of any shell.",
    upstream="ipykernel/zmqshell.py",
)
RESULT = Patch(
    id="output.result-parent",
    target="ipykernel.displayhook.ZMQShellDisplayHook.parent_header",
    what="Results and tracebacks find the calling request.",
    why="The stock value is that of the last request of any shell.",
    upstream="ipykernel/displayhook.py",
)


class Ending:
    """The last messages of a process, whole."""

    def __init__(self, iopub_thread: Any) -> None:
        # Here, so that pyzmq registers what ends its collector before whoever calls `begin` at
        # exit: atexit runs last registered first.
        import zmq.utils.garbage  # noqa: F401

        self._iopub_thread = iopub_thread
        self._begun = False

    def change(self, ledger: Ledger) -> Change:
        def really_send(wrapped: Any, thread: Any, args: Any, kwargs: Any) -> Any:
            if self._begun:
                kwargs = {**kwargs, "copy": True}
            return wrapped(*args, **kwargs)

        return Wrap(COPY, self._iopub_thread, "_really_send", really_send, ledger.switch)

    def begin(self) -> None:
        """From now on every message is copied. Main thread, at exit.

        Raises:
            TimeoutError: the iopub thread is stuck.
        """
        thread = self._iopub_thread
        # There, so that none is half sent when this returns.
        LoopCalls(thread.io_loop, thread.thread).ask(self._begin)

    def _begin(self) -> None:
        self._begun = True


def changes(ledger: Ledger, hooks: Hooks, iopub_thread: Any, ending: Ending) -> list[Change]:
    switch = ledger.switch
    recorders, listeners = hooks.recorders, hooks.listeners
    # Up to 6.17 a stream has one buffer and one parent, looked at when it is flushed.
    one_buffer = "parent_header" not in vars(OutStream)
    counts = _version.version_info >= (6,)  # `write` of 5 takes bytes too, and returns nothing
    plain = _is_ipykernels(vars(OutStream)["write"])
    plain_flush = _is_ipykernels(vars(OutStream)["flush"])

    def watcher(stream: Any) -> Any:
        """Its thread reads what was written to a descriptor of the process (6.0 on)."""
        return getattr(stream, "watch_fd_thread", None)

    def writer(stream: Any) -> Any:
        context = hooks.current()
        if context is None and threading.current_thread() is watcher(stream):
            context = hooks.descriptor_context()
        # Main prints our way there, too, unless another tool wants to see what it writes.
        if context is None and one_buffer and plain and "write" not in vars(stream):
            return hooks.main_context()
        return context

    def write(wrapped: Any, stream: Any, args: Any, kwargs: Any) -> Any:
        if len(args) + len(kwargs) != 1 or not (args or "string" in kwargs):
            return wrapped(*args, **kwargs)  # says what is wrong
        text = args[0] if args else kwargs["string"]
        if listeners and (listener := listeners.get(threading.get_ident())) is not None:
            listener(str(text), stream.name)
        captures = hooks.captures()
        if captures and stream.name in captures[-1].streams:
            return captures[-1].streams[stream.name].write(*args, **kwargs)
        context = writer(stream)
        record = recorders.get(stream.name) if recorders and hooks.current() is None else None
        if record is not None:
            record(text)
        if context is None or stream.pub_thread is None:  # it is closed
            return wrapped(*args, **kwargs)
        if os.getpid() != stream._master_pid:
            # Forked by a child's cell: the stock way out works there, given the right parent.
            stream.set_parent(context.message)
            return wrapped(*args, **kwargs)
        if not counts and not isinstance(text, str):
            text = text.decode(stream.encoding, "replace")
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text)}")
        count = context.write(stream, text)
        return count if counts else None

    def flush(wrapped: Any, stream: Any, args: Any, kwargs: Any) -> Any:
        context = writer(stream)
        if context is None or os.getpid() != stream._master_pid:
            return _flush(stream) if plain_flush else wrapped(*args, **kwargs)
        if "write" in vars(stream):  # another tool's, which may have written the stock way
            wrapped(*args, **kwargs)
        return context.flush(stream)

    def send_multipart(wrapped: Any, thread: Any, args: Any, kwargs: Any) -> Any:
        context = hooks.current()
        if context is None or not context.muted:
            wrapped(*args, **kwargs)

    def really_send(wrapped: Any, thread: Any, args: Any, kwargs: Any) -> Any:
        if os.getpid() == iopub_thread._master_pid:  # what a fork sends comes by here as well
            hooks.published(args[0])  # first: who has heard of it may ask for it at once
        return wrapped(*args, **kwargs)

    found: list[Change] = [
        Wrap(SEND, iopub_thread, "send_multipart", send_multipart, switch),
        SetAttribute(SCHEDULE, iopub_thread, "schedule", scheduler(iopub_thread, switch, hooks)),
        ending.change(ledger),
        Wrap(RECORD, iopub_thread, "_really_send", really_send, switch),
        Wrap(WRITE, OutStream, "write", write, switch),
        Wrap(FLUSH, OutStream, "flush", flush, switch),
        _parent_header(DISPLAY, ZMQDisplayPublisher, hooks, switch),
        _parent_header(RESULT, ZMQShellDisplayHook, hooks, switch),
    ]
    # After WRITE, so undone before it: tools that redirect a stream for a while (Spyder's calls do)
    # put back what they met, and that is our `write`.
    found.append(Action(WRITE, lambda: None, lambda: [*map(uncover, own_streams())]))
    if not one_buffer:
        found.append(_parent_header(STREAM, OutStream, hooks, switch))
    return found


def _flush(stream: Any) -> None:
    """Send what was written to `stream` and wait until that is done, as ipykernel's own method."""
    pub_thread = stream.pub_thread
    thread = pub_thread.thread if pub_thread else None
    if thread is None or not alive(thread) or thread is threading.current_thread():
        stream._flush()
        return
    pub_thread.schedule(stream._flush)
    # Not an Event: an interrupt in its wait may leave it locked, and who sets it would hang.
    done = _thread.allocate_lock()
    done.acquire()
    pub_thread.schedule(done.release)
    if not done.acquire(timeout=stream.flush_timeout):
        print("IOStream.flush timed out", file=sys.__stderr__)  # as ipykernel says it


def own_streams() -> list[Any]:
    """The standard streams, where they are ipykernel's."""
    return [stream for stream in (sys.stdout, sys.stderr) if isinstance(stream, OutStream)]


def uncover(stream: Any) -> bool:
    """Take away a `write` on the stream itself that hides its class's; False if there is none.

    It must be a bound method of its class, now or formerly. Anything else was put there by another
    tool, and stays.
    """
    left = vars(stream).get("write")
    bound = type(type(stream).write.__get__(stream))  # another kind, if the method is wrapped
    if type(left) not in (MethodType, bound) or left.__self__ is not stream:
        return False
    # Other threads may be at this, too.
    return vars(stream).pop("write", None) is not None


def _is_ipykernels(method: Any) -> bool:
    """Whether nobody has wrapped or replaced this method of ipykernel's."""
    return type(method) is FunctionType and method.__code__.co_filename == iostream.__file__


def caught_up(iopub_thread: Any, function: Callable[[], Any]) -> Any:
    """Call `function` in the iopub thread once what was printed so far is sent. Any thread.

    What is printed by a context's own way is to be flushed before.

    Raises:
        TimeoutError: the iopub thread is stuck.
    """
    calls = LoopCalls(iopub_thread.io_loop, iopub_thread.thread)
    calls.ask(lambda: [stream._flush() for stream in own_streams()])
    return calls.ask(function)  # a turn later, so after what that has put in line


def scheduler(iopub_thread: Any, switch: Switch, hooks: Hooks) -> Callable[[Any], None]:
    """A `schedule` that needs no socket per calling thread.

    It keeps no state of its own: an interrupt may hit the calling code anywhere, and the worst
    that may come of it is that a message waits for the next one.

    Once the iopub thread has ended, what others publish is sent here, one message at a time. What
    code of a child still publishes is dropped: its requests have had their last word, and an
    interrupt, or main closing the socket, would break a message in two.
    """
    original = iopub_thread.schedule
    loop = iopub_thread.io_loop.asyncio_loop
    events = iopub_thread._events
    handle = iopub_thread._handle_event
    at_the_end = threading.RLock()  # what is called here may send, and so come back

    def may_send() -> bool:
        # A forked process has no iopub thread either, and a pipe of its own to send by.
        return hooks.current() is None or os.getpid() != iopub_thread._master_pid

    def schedule(f: Any) -> None:
        if not switch.on:
            original(f)
            return
        if alive(iopub_thread.thread):
            events.append(f)
            try:
                call_soon(loop, handle, None)
            except RuntimeError:  # the loop closed under us: the process is ending
                if may_send():
                    with at_the_end:
                        handle(None)
        elif may_send():  # nobody owns its socket any more
            with at_the_end:
                original(f)

    return schedule


class Unhurried:
    """Takes messages that need not leave before the next one: nobody is woken for them.

    Waking the iopub thread makes the sender wait for the GIL.
    """

    def __init__(self, iopub_thread: Any) -> None:
        self._iopub_thread = iopub_thread

    def send_multipart(self, frames: Any, *args: Any, **kwargs: Any) -> None:
        thread = self._iopub_thread
        if thread.thread.is_alive():
            thread._events.append(lambda: thread._really_send(frames, *args, **kwargs))
        else:
            thread.send_multipart(frames, *args, **kwargs)


def close_pipe(iopub_thread: Any) -> None:
    """Close the socket by which the calling thread has woken the iopub thread, if it has one.

    Without our `schedule`, so after an unload, ipykernel opens one for every thread that prints.
    It closes those of dead threads every ten seconds (5.5: whenever they are collected).
    """
    pipe = iopub_thread._local.__dict__.pop("event_pipe", None)
    if pipe is None:
        return
    pipes = getattr(iopub_thread, "_event_pipes", None)
    if isinstance(pipes, dict):  # 6.29 on; before, a set of weak references
        with iopub_thread._event_pipe_gc_lock:
            pipes.pop(threading.current_thread(), None)
    pipe.close()
    with suppress(RuntimeError):  # the loop is closed: the process is ending
        # Should the pipe have taken a signal with it, what it stood for is sent all the same.
        call_soon(iopub_thread.io_loop.asyncio_loop, iopub_thread._handle_event, None)


def _parent_header(patch: Patch, owner: Any, hooks: Hooks, switch: Switch) -> Change:
    original: Any = vars(owner)["parent_header"]

    def get(instance: Any) -> Any:
        context = hooks.current() if switch.on else None
        if context is None:
            try:
                return original.__get__(instance, type(instance))
            except LookupError:  # 7.0 and 7.1, in a thread of main
                context = hooks.main_context()
        return {} if context is None else extract_header(context.message)

    def set(instance: Any, value: Any) -> None:  # noqa: A001
        original.__set__(instance, value)

    return SetAttribute(patch, owner, "parent_header", property(get, set))
