"""A real kernel process and a plain ZeroMQ client: nothing of ipyext between a test and the wire.

Every request that a test sends is accounted for: `Wire.check` asserts guarantee G1 (one reply,
one busy, one idle, in the right order, under the right parent), and the `kernel` fixture calls it
at the end of every test.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zmq
from jupyter_client.session import Session

TIMEOUT = float(os.environ.get("IPYEXT_TEST_TIMEOUT", "30"))  # seconds; a test that needs it fails
INSIDE = Path(__file__).with_name("inside")  # what the kernels under test import
OUTPUT = {"stream", "display_data", "update_display_data", "execute_result", "error"}


def owes_reply(msg_type: str) -> bool:
    """Whether the messaging document promises a reply to a message of this type."""
    return msg_type.endswith("_request")


@dataclass
class Answer:
    """Everything that came back for one request."""

    reply: dict[str, Any] | None = None
    replies: int = 0
    iopub: list[dict[str, Any]] = field(default_factory=list)

    def of(self, msg_type: str) -> list[dict[str, Any]]:
        return [m["content"] for m in self.iopub if m["msg_type"] == msg_type]

    @property
    def states(self) -> list[str]:
        return [content["execution_state"] for content in self.of("status")]

    @property
    def idle(self) -> bool:
        return "idle" in self.states

    @property
    def content(self) -> dict[str, Any]:
        assert self.reply is not None, f"no reply; iopub: {self.iopub}"
        return self.reply["content"]

    @property
    def status(self) -> str:
        return self.content["status"]

    def text(self, name: str = "stdout") -> str:
        return "".join(c["text"] for c in self.of("stream") if c["name"] == name)

    @property
    def result(self) -> str | None:
        found = self.of("execute_result")
        return found[0]["data"]["text/plain"] if found else None

    @property
    def shown(self) -> list[str]:
        """The plain text of everything displayed."""
        return [content["data"]["text/plain"] for content in self.of("display_data")]


class Wire:
    """A client of a kernel: DEALERs for shell, control and stdin, a SUB for iopub."""

    def __init__(self, connection: dict[str, Any]) -> None:
        self.session = Session(key=connection["key"].encode())
        # Shared and never ended: ending one waits for sockets, and the garbage collector may do so.
        self.context = zmq.Context.instance()
        self.poller = zmq.Poller()
        self.sockets: dict[str, zmq.Socket[bytes]] = {}
        for channel in ("shell", "control", "stdin", "iopub"):
            socket = self.context.socket(zmq.SUB if channel == "iopub" else zmq.DEALER)
            socket.linger = 0
            socket.rcvhwm = 0  # ZeroMQ drops what is too much for a client that looks away
            if channel == "iopub":
                socket.subscribe(b"")
            else:
                socket.identity = self.session.bsession  # as jupyter_client: input finds us
            socket.connect(f"tcp://127.0.0.1:{connection[channel + '_port']}")
            self.poller.register(socket, zmq.POLLIN)
            self.sockets[channel] = socket
        self.answers: dict[str, Answer] = defaultdict(Answer)
        self.sent: dict[str, tuple[str, dict[str, Any]]] = {}
        self.inputs: list[dict[str, Any]] = []
        self.stray: list[dict[str, Any]] = []
        self.debug_events: list[dict[str, Any]] = []
        self.expect_reply: dict[str, bool] = {}
        self.seen_ids: set[str] = set()
        self.duplicate_ids: list[str] = []
        self.stacks: Callable[[], str] = str  # what the kernel is doing, for a wait that fails

    # -- sending -------------------------------------------------------------------------------

    def send(
        self,
        msg_type: str,
        content: Any = None,
        *,
        channel: str = "shell",
        subshell: Any = None,
        metadata: Any = None,
        buffers: list[bytes] | None = None,
    ) -> str:
        """Send a message and return its id. `subshell` goes into the header, whatever it is."""
        message = self.session.msg(msg_type, content={} if content is None else content)
        message["metadata"] = {} if metadata is None else metadata
        if subshell is not None:
            message["header"]["subshell_id"] = subshell
        frames = self.session.serialize(message)
        self.sockets[channel].send_multipart(frames + (buffers or []))
        msg_id = message["header"]["msg_id"]
        self.sent[msg_id] = (channel, message)
        return msg_id

    def send_parts(
        self,
        channel: str,
        header: Any,
        content: bytes = b"{}",
        *,
        parent: bytes = b"{}",
        metadata: bytes = b"{}",
        signature: bytes | None = None,
    ) -> str | None:
        """Send what need not be a message at all; returns its id if it has one."""
        frames = [json.dumps(header).encode(), parent, metadata, content]
        signed = self.session.sign(frames) if signature is None else signature
        self.sockets[channel].send_multipart([b"<IDS|MSG>", signed, *frames])
        msg_id = header.get("msg_id") if isinstance(header, dict) else None
        if not isinstance(msg_id, str):
            return None
        self.sent[msg_id] = (channel, {"header": header, "content": content})
        return msg_id

    def header(self, msg_type: str, **fields: Any) -> dict[str, Any]:
        """A header that can be sent as JSON, with `fields` on top."""
        made = self.session.msg_header(msg_type)
        return {**made, "date": made["date"].isoformat(), **fields}

    def begin(self, code: str, *, subshell: Any = None, **content: Any) -> str:
        """Send a cell, and return its id as soon as its code runs. It prints ``begun`` first."""
        msg_id = self.send_execute(f"print('begun')\n{code}", subshell=subshell, **content)
        self.wait_for_text(msg_id, "begun\n")
        return msg_id

    def send_execute(self, code: str, *, subshell: Any = None, **content: Any) -> str:
        return self.send(
            "execute_request",
            {"code": code, "silent": False, "allow_stdin": False, **content},
            subshell=subshell,
        )

    def answer_input(self, asked: dict[str, Any], value: str, *, with_parent: bool = True) -> None:
        """Send an input_reply to an input_request, as JupyterLab does (or without its parent)."""
        message = self.session.msg(
            "input_reply", {"value": value, "status": "ok"}, parent=asked if with_parent else None
        )
        self.sockets["stdin"].send_multipart(self.session.serialize(message))

    # -- receiving -----------------------------------------------------------------------------

    def pump(self, timeout: float = 0.0) -> bool:
        """Take in what has arrived, waiting at most `timeout` seconds for something to come."""
        ready = self.poller.poll(int(timeout * 1000))
        for socket, _ in ready:
            while True:
                try:
                    frames = socket.recv_multipart(zmq.NOBLOCK)
                except zmq.Again:
                    break
                self._take(socket, frames)
        return bool(ready)

    def _take(self, socket: Any, frames: list[bytes]) -> None:
        _, parts = self.session.feed_identities(frames)
        message = self.session.deserialize(parts)  # raises on a duplicate or wrong signature
        if message["msg_type"] == "iopub_welcome":
            return
        if message["header"]["msg_id"] in self.seen_ids:
            self.duplicate_ids.append(message["header"]["msg_id"])
        self.seen_ids.add(message["header"]["msg_id"])
        if message["msg_type"] == "debug_event":
            self.debug_events.append(message)
            return
        parent = message["parent_header"].get("msg_id")
        if socket is self.sockets["stdin"]:
            self.inputs.append(message)
        elif parent not in self.sent:
            self.stray.append(message)
        elif socket is self.sockets["iopub"]:
            self.answers[parent].iopub.append(message)
        else:
            self.answers[parent].reply = message
            self.answers[parent].replies += 1

    def until(self, condition: Any, timeout: float = TIMEOUT, what: str = "condition") -> None:
        """Take messages in until `condition()` holds."""
        if not self._comes_true(condition, timeout):
            raise AssertionError(f"{what} did not hold within {timeout} s\n{self.stacks()}")

    def _comes_true(self, condition: Any, timeout: float) -> bool:
        end = time.monotonic() + timeout
        while not condition():
            left = end - time.monotonic()
            if left <= 0:
                return False
            self.pump(left)
        return True

    def hear(self) -> None:
        """Wait until all that the kernel publishes arrives; what was asked before that is let go.

        A SUB socket misses what is published before its subscription has arrived.
        """
        end = time.monotonic() + TIMEOUT
        while True:
            probe = self.send("kernel_info_request")
            if self._comes_true(lambda p=probe: self._complete(p), 1.0):
                break
            self.expect_reply[probe] = False
            assert time.monotonic() < end, f"no answer\n{self.stacks()}"
        for msg_id in self.sent:
            self.expect_reply[msg_id] = False  # asked before we could hear all of the answer

    def wait(self, *ids: str, timeout: float = TIMEOUT) -> list[Answer]:
        """Wait until each of `ids` has its reply (if it is owed one) and its idle."""

        def complete() -> bool:
            return all(self._complete(msg_id) for msg_id in ids)

        missing = [self.sent[i][1]["header"]["msg_type"] for i in ids]
        self.until(complete, timeout, f"reply and idle of {missing}")
        return [self.answers[msg_id] for msg_id in ids]

    def _complete(self, msg_id: str) -> bool:
        answer = self.answers[msg_id]
        owed = owes_reply(self.sent[msg_id][1]["header"]["msg_type"])
        return answer.idle and (answer.reply is not None or not owed)

    def wait_for_input(self, count: int = 1) -> list[dict[str, Any]]:
        """Wait until `count` input_requests are there; take them."""
        self.until(lambda: len(self.inputs) >= count, what=f"{count} input_requests")
        taken, self.inputs = self.inputs[:count], self.inputs[count:]
        return taken

    def wait_for_text(self, msg_id: str, text: str) -> None:
        """Wait until the request has printed `text`."""
        self.until(lambda: text in self.answers[msg_id].text(), what=f"output {text!r}")

    # -- whole requests ------------------------------------------------------------------------

    def request(self, msg_type: str, content: Any = None, **where: Any) -> Answer:
        """Send a request and wait for all of its answer."""
        return self.wait(self.send(msg_type, content, **where))[0]

    def control(self, msg_type: str, content: Any = None) -> dict[str, Any]:
        """A control request; returns the content of the reply."""
        return self.request(msg_type, content, channel="control").content

    def execute(self, code: str, *, subshell: Any = None, **content: Any) -> Answer:
        return self.wait(self.send_execute(code, subshell=subshell, **content))[0]

    def create(self, name: str | None = None) -> str:
        content = {} if name is None else {"name": name}
        return str(self.control("create_subshell_request", content)["subshell_id"])

    def delete(self, subshell: str) -> dict[str, Any]:
        return self.control("delete_subshell_request", {"subshell_id": subshell})

    def shells(self) -> list[str]:
        return list(self.control("list_subshell_request")["subshell_id"])

    # -- G1 ------------------------------------------------------------------------------------

    def check(self) -> None:
        """Assert G1 for every request sent so far that was waited for or answered."""
        for msg_id, (channel, message) in self.sent.items():
            answer = self.answers[msg_id]
            if not self.expect_reply.get(msg_id, True):
                continue
            msg_type = str(message["header"].get("msg_type"))
            name = f"{msg_type} on {channel}: {message['content']!r:.200}"
            owed = owes_reply(msg_type)
            assert answer.replies == owed, f"{answer.replies} replies to {name}"
            assert answer.states == ["busy", "idle"], f"{answer.states} for {name}"
        assert not self.duplicate_ids, f"message ids used twice: {self.duplicate_ids}"

    def forget(self, msg_id: str) -> None:
        """Keep nothing of a request that was answered completely, as the caller has checked."""
        del self.answers[msg_id], self.sent[msg_id]

    def stray_output(self) -> list[dict[str, Any]]:
        """Outputs that came under no request of ours."""
        return [m for m in self.stray if m["msg_type"] in OUTPUT]

    def close(self) -> None:
        for socket in self.sockets.values():
            socket.close()


class KernelProcess:
    """A stock ipykernel, or what `module` starts, in a process and with a home of its own."""

    def __init__(
        self,
        *arguments: str,
        env: dict[str, str] | None = None,
        module: str = "ipykernel_launcher",
    ) -> None:
        self.home = tempfile.TemporaryDirectory(prefix="ipyext-test-")
        self.file = Path(self.home.name, "connection.json")
        self.connection: dict[str, Any] = {
            "transport": "tcp",
            "ip": "127.0.0.1",
            "key": os.urandom(16).hex(),
            "signature_scheme": "hmac-sha256",
            **{f"{c}_port": 0 for c in ("shell", "control", "stdin", "iopub", "hb")},
        }
        self.file.write_text(json.dumps(self.connection))
        self.log = Path(self.home.name, "log.txt")
        self._stacks = Path(self.home.name, "stacks.txt")
        given = {**os.environ, **(env or {})}
        # Last: a test may have a sitecustomize of its own.
        inside = [*filter(None, [given.get("PYTHONPATH")]), str(INSIDE)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, "-f", str(self.file), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.home.name,
                env={
                    # ipykernel captures less when it finds itself under pytest.
                    **{k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"},
                    "IPYTHONDIR": str(Path(self.home.name, "ipython")),
                    "JUPYTER_PLATFORM_DIRS": "1",
                    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
                    **(env or {}),
                    "PYTHONPATH": os.pathsep.join(inside),
                    "IPYEXT_TEST_STACKS": str(self._stacks),
                },
                start_new_session=True,
            )
        self.clients: list[Wire] = []

    def connect(self) -> Wire:
        """Another client of this kernel, as soon as its ports are known. It may not listen yet."""
        end = time.monotonic() + TIMEOUT
        while not self._ports_known():
            assert self.process.poll() is None, f"the kernel died:\n{self.log.read_text()}"
            assert time.monotonic() < end, "the kernel did not write its connection file"
            time.sleep(0.01)
        client = Wire(self.connection)
        client.stacks = self.stacks
        self.clients.append(client)
        return client

    def client(self) -> Wire:
        """Another client of this kernel, connected and heard."""
        client = self.connect()
        try:
            client.hear()
        except AssertionError as error:
            raise AssertionError(f"{error}:\n{self.log.read_text()}") from None
        return client

    def _ports_known(self) -> bool:
        try:
            self.connection = json.loads(self.file.read_text())
        except (json.JSONDecodeError, FileNotFoundError):  # the kernel replaces the file
            return False
        return bool(self.connection["hb_port"])

    def signal(self, number: int = signal.SIGINT) -> None:
        os.kill(self.process.pid, number)

    def stacks(self) -> str:
        """What each thread of the kernel is doing now, and what it has logged, for people."""
        if self.process.poll() is not None:
            return f"the kernel is gone ({self.process.returncode}):\n{self.log.read_text()}"
        if not self._stacks.exists():  # it has not begun yet, and the signal would end it
            return f"the kernel has not begun:\n{self.log.read_text()}"
        former = self._stacks.stat().st_size
        self.signal(signal.SIGXCPU)
        size, end = former, time.monotonic() + 2.0
        while time.monotonic() < end:  # it is written by whichever thread gets the signal
            time.sleep(0.1)
            last, size = size, self._stacks.stat().st_size
            if size == last > former:
                break
        with self._stacks.open() as file:
            file.seek(former)
            return f"{file.read()}{self._threads()}\nlogged:\n{self.log.read_text()}"

    def _threads(self) -> str:
        """The state of its threads for the system, where Python no longer tells anything."""
        found = []
        for task in Path(f"/proc/{self.process.pid}/task").glob("*"):
            with contextlib.suppress(OSError):
                state = task.joinpath("stat").read_text().rpartition(")")[2].split()[0]
                found.append(f"{task.joinpath('comm').read_text().strip()}: {state}")
        return f"\n{', '.join(found) or 'no thread'}\n"

    def gone_within(self, seconds: float) -> bool:
        """Whether the process has ended by itself by then; prints what keeps it, if not."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            sys.stderr.write(self.stacks())
            return False
        return True

    def close(self) -> None:
        for client in self.clients:
            client.close()
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.home.cleanup()
