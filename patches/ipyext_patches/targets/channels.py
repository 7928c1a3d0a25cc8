"""The ways into and out of a kernel: what every version of ipykernel has, in one form."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import zmq
from zmq.eventloop.zmqstream import ZMQStream
from zmq.utils.monitor import parse_monitor_message

from ipyext_patches.loops import LoopCalls, call_soon
from ipyext_patches.ports import Frames, Hooks, LoopPort
from ipyext_patches.spec import Patch
from ipyext_patches.targets.messages import Reader

SHELL = Patch(
    id="channels.shell",
    target="Kernel.shell_stream and its ROUTER",
    what="The shell channel thread reads and writes the shell socket; we route its messages.",
    why="Who reads the shell socket on main answers nobody while a cell runs.",
    upstream="JEP 91; ipykernel/shellchannel.py; ipykernel#1554 (raw sends beside a stream)",
)
CONTROL = Patch(
    id="channels.control",
    target="Kernel.control_stream and its ROUTER",
    what="Control requests run in the control thread, each answered even if it is malformed.",
    why="ipykernel 5 has no such thread; later ones leave malformed requests without a reply.",
    upstream="ipykernel/control.py",
)
STDIN = Patch(
    id="channels.stdin",
    target="Kernel.stdin_socket",
    what="The shell channel thread owns the stdin socket and hands each reply to who asked.",
    why="Several shells that poll one socket take each other's replies, or crash the process.",
    upstream="ipykernel/kernelbase.py _input_request",
)
START = Patch(
    id="channels.start",
    target="Kernel.start",
    what="Has a lock for control requests before any is read, and takes the channels over as soon "
    "as the kernel has started.",
    why="From a profile or --ext, the extension is loaded before there is anything to take over. "
    "ipykernel 6.30 to 7.2 loses what its control thread reads before main has made the lock.",
    upstream="ipykernel/kernelbase.py start (KeyError: '_control_lock')",
)


def begin_start(kernel: Any) -> None:
    """Afterwards a control request may come as soon as `kernel` listens. Main, before its start."""
    if kernel.has_trait("_control_lock"):
        kernel._control_lock = asyncio.Lock()  # it makes another, once it has begun to listen


class SharedStream:
    """A ZMQStream used from other threads than its loop's. The stream stays the socket's only user.

    Sending raw on a socket that a stream reads can strand a request that came in meanwhile
    (ipykernel 7.0 to 7.2), so every send goes through the stream, in its own thread.

    Attributes:
        successor: sends what is left to send once the socket has gone back to its former stream.
    """

    successor: SharedStream | None = None

    def __init__(self, stream: ZMQStream, loop: LoopPort) -> None:
        self.stream = stream
        self._loop = loop

    def send(self, frames: Frames, copy: bool = True) -> None:
        """Send `frames` soon. Any thread."""
        self._loop.call(lambda: self._send(frames, copy))

    def _send(self, frames: Frames, copy: bool) -> None:
        if not self.stream.closed():
            self.stream.send_multipart(frames, copy=copy)
            # At once, not in a later turn of the loop: every turn can cost the GIL.
            self.stream.flush(zmq.POLLOUT)
        elif self.successor is not None:  # the caller got hold of us before it was in place
            self.successor.send(frames, copy)

    def receive(self, on_recv: Callable[[Any], Any]) -> None:
        """Take in what has arrived already. The loop's thread.

        Not with `ZMQStream.flush`: where a callback sends, and so flushes in turn, that one never
        ends (it receives nothing more in this turn of the loop, and goes on asking for it).
        """
        stream: Any = self.stream
        while not stream.closed() and stream.socket.EVENTS & zmq.POLLIN:
            try:
                frames = stream.socket.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                break
            on_recv(frames)
        stream._rebuild_io_state()  # what came in meanwhile has left no mark on the descriptor


def sent_on_main(stream: ZMQStream) -> SharedStream:
    """For a stream that main reads."""
    return SharedStream(stream, LoopCalls(stream.io_loop, threading.main_thread()))


class BorrowedCallback:
    """Someone's ZMQStream with our `on_recv` for a while; its socket and thread stay theirs."""

    def __init__(self, stream: ZMQStream, callback: Callable[[Any], Any]) -> None:
        self._stream = stream
        self._callback = callback
        self._former: tuple[Any, Any] | None = None

    def install(self) -> None:
        """Call in the stream's thread."""
        stream: Any = self._stream
        self._former = (stream._recv_callback, stream._recv_copy)
        stream.on_recv(self._callback, copy=False)

    def restore(self) -> None:
        """Call in the stream's thread. The former callback is the same object as before."""
        stream: Any = self._stream
        if self._former is not None and not stream.closed():
            stream._recv_callback, stream._recv_copy = self._former
            self._former = None


_SOCKET_METHODS = ("bind", "bind_to_random_port", "connect", "setsockopt", "getsockopt")


class MovedSocket:
    """A ROUTER that another thread reads, while its old stream goes on with the end of a pipe.

    The stream object keeps its identity and its loop: a request that is being handled holds it
    and sends its reply through it, GUI event loops watch its descriptor, and ipykernel flushes it.
    Its socket changes, and its callback, which has nothing to do: what comes in by the pipe only
    wakes. All methods are called on the stream's thread, except where they say otherwise.
    """

    def __init__(self, stream: ZMQStream, loop: LoopPort, on_recv: Callable[[Any], Any]) -> None:
        self._old: Any = stream
        self._loop = loop
        self._on_recv = on_recv
        self.router: Any = stream.socket
        self._inner: Any = None
        self._outer: Any = None
        self._callback = BorrowedCallback(stream, lambda frames: None)
        self.new: ZMQStream | None = None

    def move(self, adopted: Callable[[SharedStream], None]) -> None:
        """Afterwards `loop` owns the ROUTER and calls `on_recv` for what comes in.

        `adopted` gets the new stream before the first message is taken in.
        """
        self._old.flush(zmq.POLLOUT)
        context = self.router.context
        self._inner, outer = context.socket(zmq.PAIR), context.socket(zmq.PAIR)
        address = f"inproc://ipyext-{id(self):x}"
        self._inner.bind(address)
        outer.connect(address)
        self._swap(self._inner)
        self._callback.install()
        self._loop.ask(lambda: self._adopt(outer, adopted))

    def restore(self) -> None:
        """Afterwards the old stream owns the ROUTER again; nothing that came in is lost."""
        self._old.flush(zmq.POLLOUT)
        self._loop.ask(self._release)
        self._callback.restore()
        self._swap(self.router)
        self._inner.close(0)

    def wake(self) -> None:
        """Make the old stream's descriptor readable, for a GUI event loop. Loop's thread."""
        if self._outer is not None:
            self._outer.send_multipart([b""])
            self._outer.flush(zmq.POLLOUT)

    def _swap(self, socket: Any) -> None:
        stream = self._old
        stream.io_loop.remove_handler(stream.socket)
        stream.socket = socket
        stream._fd = socket.FD
        stream.poller = zmq.Poller()  # flush() had registered the other socket
        for name in _SOCKET_METHODS:
            setattr(stream, name, getattr(socket, name))
        stream.io_loop.add_handler(socket, stream._handle_events, stream.io_loop.READ)
        stream._rebuild_io_state()

    def _adopt(self, outer: Any, adopted: Callable[[SharedStream], None]) -> None:
        io_loop = self._loop.io_loop
        self.new = new = ZMQStream(self.router, io_loop)
        self._outer = ZMQStream(outer, io_loop)
        self._outer.on_recv(self._forward, copy=False)
        adopted(SharedStream(new, self._loop))
        new.on_recv(self._on_recv, copy=False)

    def _forward(self, frames: Any) -> None:
        assert self.new is not None
        self.new.send_multipart(frames, copy=False)
        self.new.flush(zmq.POLLOUT)

    def _release(self) -> None:
        new = self.new
        assert new is not None
        outer, self._outer = self._outer, None
        outer.flush(zmq.POLLIN)  # what main sent last
        outer.stop_on_recv()
        # Later: a stream that is closed complains of every turn that was already asked for.
        new.io_loop.add_callback(outer.close, 0)
        new.stop_on_recv()
        new.flush(zmq.POLLOUT)
        new.io_loop.remove_handler(self.router)
        new.socket = None  # type: ignore[assignment]  # detached: close() would close the ROUTER
        self.new = None


class Channels:
    """One kernel's sockets.

    `give_back_stdin` runs on main, and where `needs_main` says so `take` and `give_back` as well.
    """

    needs_main = True

    def __init__(self, kernel: Any, hooks: Hooks, shell: LoopPort, control: LoopPort) -> None:
        self.kernel = kernel
        self.hooks = hooks
        self.reader = Reader(kernel.session)
        self.shell_loop = shell
        self.control_loop = control
        self.shell: SharedStream
        self.control: SharedStream
        self.stdin: SharedStream
        self.taken = False
        self._held: list[Frames] | None = None
        self._monitor: ZMQStream | None = None
        self._watchers: list[Callable[[int], None]] = []

    def take(self) -> None:
        """Afterwards the engine gets every message of the shell, control and stdin channels.

        Those of shell from `hand_over` on; what main had not begun comes first. If one of the
        channels cannot be taken over, those that could are given back.
        """
        self._held = []
        with ExitStack() as undo:
            self._take_shell()
            undo.callback(self._give_back_shell)
            self._take_control()
            undo.callback(self._give_back_control)
            self.shell_loop.ask(self._take_stdin)
            undo.pop_all()
        self.taken = True

    def hand_over(self) -> None:
        """Everything is in force: route what came in before. Not in the shell channel thread."""
        self.shell_loop.ask(self._hand_over)

    def hold(self, frames: Frames) -> None:
        """Keep a message that came in before or while the channels were taken over, in order."""
        assert self._held is not None
        self._held.append(frames)

    def _hand_over(self) -> None:
        held, self._held = self._held or [], None
        for frames in held:
            self.hooks.shell_message(frames)

    def shell_message(self, frames: Frames) -> None:
        """A message came in on the shell ROUTER. Shell channel thread."""
        if self._held is None:
            self.hooks.shell_message(frames)
        else:
            self.hold(frames)

    def give_back(self) -> None:
        """Afterwards shell and control are stock, and so is what main had not begun."""
        if self._monitor is not None:
            self.control_loop.ask(self._unwatch)
        self._give_back_control()
        self._give_back_shell()

    def give_back_stdin(self) -> None:
        """Afterwards stdin is stock: not while main waits for a line, which comes through it."""
        self.taken = False
        self.shell_loop.ask(self._give_back_stdin)

    def watch_clients(self, gone: Callable[[int], None]) -> None:
        """Have `gone` called in the control thread with the descriptor of every lost connection.

        It is the one that `zmq.SRCFD` gives for messages. Control thread.
        """
        if not self.taken:
            return
        self._watchers.append(gone)
        if self._monitor is not None:
            return
        socket = self.control.stream.socket
        monitor = socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        self._monitor = ZMQStream(monitor, self.control_loop.io_loop)
        self._monitor.on_recv(self._disconnected)

    def _disconnected(self, frames: Any) -> None:
        fd = int(parse_monitor_message(frames)["value"])
        for gone in self._watchers:
            gone(fd)

    def _unwatch(self) -> None:
        self._watchers.clear()
        monitor, self._monitor = self._monitor, None
        if monitor is not None:
            monitor.stop_on_recv()
            self.control.stream.socket.disable_monitor()
            monitor.close()

    def not_begun(self) -> list[Frames]:
        """What main had not begun, for the stock kernel to read."""
        held, self._held = self._held or [], None
        return [*held, *(self.reader.forget(frames) for frames in self.hooks.drain_main())]

    def wake_main(self) -> None:
        """Have main call `Hooks.main_turn`, in its turn. Shell channel thread."""
        raise NotImplementedError

    def _take_shell(self) -> None:
        raise NotImplementedError

    def _give_back_shell(self) -> None:
        raise NotImplementedError

    def _take_control(self) -> None:
        self._control = BorrowedCallback(self.kernel.control_stream, self.hooks.control_message)
        self.control = SharedStream(self.kernel.control_stream, self.control_loop)
        self.control_loop.ask(self._control.install)

    def _give_back_control(self) -> None:
        self.control_loop.ask(self._control.restore)

    def _take_stdin(self) -> None:
        stream = ZMQStream(self.kernel.stdin_socket, self.shell_loop.io_loop)
        stream.on_recv(self.hooks.stdin_message, copy=False)
        self.stdin = SharedStream(stream, self.shell_loop)

    def _give_back_stdin(self) -> None:
        stream: Any = self.stdin.stream
        stream.stop_on_recv()
        stream.flush(zmq.POLLOUT)
        stream.io_loop.remove_handler(stream.socket)
        stream.socket = None  # detached: close() would close the kernel's socket


class MovedShellChannels(Channels):
    """ipykernel 5 and 6: the shell socket is read on main until we move it to a thread of ours."""

    stream: ZMQStream

    def _take_shell(self) -> None:
        self._hold_queue()
        self._moved = MovedSocket(self.stream, self.shell_loop, self.shell_message)
        self._moved.move(self._set_shell)

    def _hold_queue(self) -> None:
        """Take what was read off the socket, but not begun, out of the kernel's own queue."""
        queue = self.kernel.msg_queue
        for item in [queue.get_nowait() for _ in range(queue.qsize())]:
            *_, dispatch, arguments = item
            if dispatch == self.kernel.dispatch_shell:
                self.hold(arguments[-1])
            else:
                queue.put_nowait(item)

    def _set_shell(self, stream: SharedStream) -> None:
        self.shell = stream

    def _give_back_shell(self) -> None:
        self.shell.successor = on_main = sent_on_main(self.stream)
        self._moved.restore()
        for frames in self.not_begun():
            self.dispatch_stock(frames)
        self.shell = on_main

    def wake_main(self) -> None:
        call_soon(self.kernel.io_loop.asyncio_loop, self.schedule_turn)
        if self.kernel.eventloop is not None:  # main sits in a GUI loop, which watches the stream
            self._moved.wake()

    def schedule_turn(self) -> None:
        raise NotImplementedError

    def dispatch_stock(self, frames: Frames) -> None:
        """Put a request that was not begun where the stock kernel keeps those."""
        raise NotImplementedError
