"""A stock kernel in a process of its own, and a plain client of it."""

from __future__ import annotations

import itertools
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import zmq
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import KernelManager

from ipyext.autoload import SWITCH

if TYPE_CHECKING:
    from typing_extensions import Self


class DemoError(Exception):
    """The kernel did not do what it should; the message says what it did instead."""


@dataclass
class Answer:
    """What came back for one request so far."""

    reply: dict[str, Any] | None = None
    published: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0  # from sending to the reply

    @property
    def content(self) -> dict[str, Any]:
        return {} if self.reply is None else dict(self.reply["content"])

    @property
    def state(self) -> str | None:
        """The last of ``"busy"`` and ``"idle"``; None before the first."""
        states = [content["execution_state"] for content in self._of("status")]
        return states[-1] if states else None

    @property
    def complete(self) -> bool:
        return self.reply is not None and self.state == "idle"

    @property
    def text(self) -> str:
        """What it printed."""
        return "".join(content["text"] for content in self._of("stream"))

    @property
    def result(self) -> str:
        """The value of its last expression, or what it displayed, as text."""
        found = [*self._of("execute_result"), *self._of("display_data")]
        return str(found[-1]["data"].get("text/plain", "")) if found else ""

    def _of(self, msg_type: str) -> list[dict[str, Any]]:
        return [m["content"] for m in self.published if m["header"]["msg_type"] == msg_type]


# Settings by which a kernel that starts loads extensions.
LOADING = ("extensions", "extra_extensions", "exec_lines")


class _ThisPython(KernelSpecManager):
    """Knows one kernel: ipykernel in the Python that runs us, whatever is installed elsewhere."""

    def __init__(self, options: Sequence[str]) -> None:
        super().__init__()
        self._options = options

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        return KernelSpec(
            argv=[
                *(sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"),
                *self._options,
            ],
            display_name="Python (ipyext demo)",
            language="python",
        )


class StockKernel:
    """A context: a running kernel that loads nothing of what the user has it load.

    Args:
        timeout: seconds that any single wait may take.
        configured: it does load that, and keeps out of the user's history.

    Raises:
        DemoError: on entering, if it does not start and answer in time.
    """

    def __init__(self, timeout: float, configured: bool = False) -> None:
        self.timeout = timeout
        self._configured = configured
        self._answers: dict[str, Answer] = defaultdict(Answer)
        self._sent: dict[str, float] = {}
        self._debug_events: list[dict[str, Any]] = []
        self._debug_requests = itertools.count(1)
        self._poller = zmq.Poller()
        self._sockets: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self._home = tempfile.TemporaryDirectory(prefix="ipyext-demo-")
        home = Path(self._home.name)
        self._log = home / "kernel.log"
        environment = dict(os.environ)
        if self._configured:
            options = ["--HistoryManager.hist_file=:memory:"]
        else:
            # Over what configuration files of the environment or the system say.
            options = [f"--IPKernelApp.{name}=[]" for name in LOADING]
            environment.update({"IPYTHONDIR": str(home / "ipython"), SWITCH: "1"})
        self._manager = KernelManager(
            kernel_spec_manager=_ThisPython(options), connection_file=str(home / "kernel.json")
        )
        environment.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")  # debugpy warns about 3.11+
        try:
            with self._log.open("wb") as log:
                self._manager.start_kernel(cwd=str(home), env=environment, stdout=log, stderr=log)
            self._connect()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()

    def _connect(self) -> None:
        identity = self._manager.session.bsession
        self._sockets = {
            "shell": self._manager.connect_shell(identity=identity),
            "control": self._manager.connect_control(identity=identity),
            "iopub": self._manager.connect_iopub(),
        }
        for socket in self._sockets.values():
            socket.linger = 0
            self._poller.register(socket, zmq.POLLIN)
        end = time.monotonic() + self.timeout
        # What is published before our subscription has arrived is lost, so ask until it is heard.
        while True:
            probe = self._answers[self.send("kernel_info_request")]
            heard = time.monotonic() + 1
            while not probe.complete and time.monotonic() < heard:
                self._receive(0.1)
            if probe.complete:
                return
            if not self.alive or time.monotonic() > end:
                raise DemoError(f"The stock kernel did not start. It says:\n{self.log()}")

    def _end(self) -> None:
        try:
            for socket in self._sockets.values():
                socket.close()
            if self._manager.has_kernel:
                self._manager.shutdown_kernel(now=True)
        finally:
            self._home.cleanup()

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return bool(self._manager.is_alive())

    def log(self) -> str:
        """What the process wrote to its terminal."""
        return self._log.read_text(errors="replace").strip() if self._log.exists() else ""

    # -- requests ------------------------------------------------------------------------------

    def send(
        self,
        msg_type: str,
        content: dict[str, Any] | None = None,
        *,
        channel: str = "shell",
        subshell: str | None = None,
    ) -> str:
        """Send a request and return its id; `subshell` goes into the header, as JEP 91 has it."""
        session = self._manager.session
        message = session.msg(msg_type, content=content or {})
        if subshell is not None:
            message["header"]["subshell_id"] = subshell
        self._sent[message["header"]["msg_id"]] = time.perf_counter()
        session.send(self._sockets[channel], message)
        return str(message["header"]["msg_id"])

    def send_code(self, code: str, subshell: str | None = None) -> str:
        """Send an execute_request, as a front end does for a cell."""
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
        return self.send("execute_request", content, subshell=subshell)

    def answer(self, request: str) -> Answer:
        """What came back for a request, without waiting."""
        self._receive(0)
        return self._answers[request]

    def wait(self, request: str, what: str) -> Answer:
        """Wait for reply and idle.

        Raises:
            DemoError: they did not come in time.
        """
        answer = self._answers[request]
        self.until(lambda: answer.complete, f"No answer to {what}")
        return answer

    def until(self, condition: Callable[[], object], failure: str) -> None:
        """Wait until `condition` holds.

        Raises:
            DemoError: with `failure`, if it does not in time.
        """
        end = time.monotonic() + self.timeout
        while not condition():
            if time.monotonic() > end:
                raise DemoError(f"{failure} within {self.timeout:g} s.")
            self._receive(0.05)

    def ask(
        self, msg_type: str, content: dict[str, Any] | None = None, channel: str = "control"
    ) -> Answer:
        """Send a request and wait for all of its answer."""
        return self.wait(self.send(msg_type, content, channel=channel), msg_type)

    def debug(self, command: str, **arguments: Any) -> tuple[dict[str, Any], float]:
        """Ask the debugger; returns the body of its response, and the seconds it took.

        Raises:
            DemoError: it refused, or did not answer in time.
        """
        request = {"seq": next(self._debug_requests), "type": "request", "command": command}
        answer = self.ask("debug_request", {**request, "arguments": arguments})
        if not answer.content.get("success"):
            raise DemoError(f"The debugger refused {command!r}: {answer.content.get('message')}")
        return answer.content.get("body") or {}, answer.seconds

    def debug_event(self, name: str) -> dict[str, Any]:
        """Wait for the next event of the debugger with that name; returns its body.

        Raises:
            DemoError: it did not come in time.
        """

        def find() -> dict[str, Any] | None:
            return next((one for one in self._debug_events if one["event"] == name), None)

        self.until(find, f"No {name!r} event of the debugger came")
        event = find()
        assert event is not None
        self._debug_events.remove(event)
        return dict(event.get("body") or {})

    def execute(self, code: str, subshell: str | None = None) -> Answer:
        """Run code and wait for all of its answer; it must have gone well.

        Raises:
            DemoError: it raised, or did not end in time.
        """
        first = code.strip().splitlines()[0]
        answer = self.wait(self.send_code(code, subshell), f"the cell {first!r}")
        if answer.content["status"] != "ok":
            error = f"{answer.content.get('ename')}: {answer.content.get('evalue')}"
            raise DemoError(f"The cell {first!r} failed: {error}")
        return answer

    def _receive(self, seconds: float) -> None:
        for socket, _ in self._poller.poll(int(seconds * 1000)):
            while True:
                _, message = self._manager.session.recv(socket, mode=zmq.NOBLOCK)
                if message is None:
                    break
                self._take(socket, message)

    def _take(self, socket: Any, message: dict[str, Any]) -> None:
        if message["header"]["msg_type"] == "debug_event":
            self._debug_events.append(message["content"])
            return
        request = message["parent_header"].get("msg_id")
        if request not in self._sent:
            return
        answer = self._answers[request]
        if socket is self._sockets["iopub"]:
            answer.published.append(message)
        else:
            if answer.reply is not None:
                raise DemoError(f"A second reply came: {message['header']['msg_type']}.")
            answer.reply = message
            answer.seconds = time.perf_counter() - self._sent[request]
