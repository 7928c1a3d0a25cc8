"""Who is at the other end: read from tables made up here, and from the real ones."""

from __future__ import annotations

import ipaddress
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from ipyext.debug import peers
from ipyext.debug.peers import Answer, End, Verdict, end

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
LITTLE = pytest.mark.skipif(sys.byteorder != "little", reason="the rows are of such a machine")
ROOT = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0,
    reason="only root can start a process of another user",
)

PEER, OURS = end(("127.0.0.1", 45675)), end(("127.0.0.1", 5678))
HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  ...\n"
OUR_SIDE = (
    "   0: 0100007F:162E 0100007F:B26B 01 00000000:00000000 00:00000000 00000000     7        0 9 1"
)


def row(uid: int, inode: int, addresses: str = "0100007F:B26B 0100007F:162E") -> str:
    return (
        f"   1: {addresses} 01 00000000:00000000 00:00000000 00000000  {uid:4}        0 {inode} 1 0"
    )


V6 = "00000000000000000000000001000000:B26B 00000000000000000000000001000000:162E"
MAPPED = "0000000000000000FFFF00000100007F:B26B 0000000000000000FFFF00000100007F:162E"


def look(tmp_path: Path, *rows: str, peer: End = PEER, ours: End = OURS, **more: Any) -> Verdict:
    table = tmp_path / "tcp"
    table.write_text(HEAD + "\n".join([OUR_SIDE, *rows]) + "\n")
    options: dict[str, Any] = {"our_uid": 1000, "hidden_uid": -1, "tables": [table], **more}
    return peers.in_tables(peer, ours, **options)


@LITTLE
def test_the_table_of_linux(tmp_path: Path) -> None:
    assert look(tmp_path, row(1000, 5)).answer is Answer.ACCEPTED
    refused = look(tmp_path, row(1001, 5))
    assert refused.answer is Answer.REFUSED
    assert "uid 1001" in refused.reason
    assert look(tmp_path).answer is Answer.UNKNOWN  # its side is not there; ours is
    assert look(tmp_path, row(0, 5)).answer is Answer.REFUSED


@LITTLE
def test_a_socket_that_nobody_holds_proves_nothing(tmp_path: Path) -> None:
    # The system lists it as root's, so a kernel of root would let everybody in.
    assert look(tmp_path, row(0, 0), our_uid=0).answer is Answer.UNKNOWN
    assert look(tmp_path, row(1000, 0)).answer is Answer.UNKNOWN


@LITTLE
def test_ipv6_and_ipv4_through_it(tmp_path: Path) -> None:
    peer, ours = end(("::1", 45675, 0, 0)), end(("::1", 5678, 0, 0))
    assert look(tmp_path, row(1000, 5, V6), peer=peer, ours=ours).answer is Answer.ACCEPTED
    assert look(tmp_path, row(1001, 5, V6), peer=peer, ours=ours).answer is Answer.REFUSED
    assert look(tmp_path, row(1000, 5, MAPPED)).answer is Answer.ACCEPTED
    assert look(tmp_path, row(1001, 5, MAPPED)).answer is Answer.REFUSED


@LITTLE
def test_a_user_whom_the_namespace_hides(tmp_path: Path) -> None:
    found = look(tmp_path, row(65534, 5), our_uid=65534, hidden_uid=65534)
    assert found.answer is Answer.UNKNOWN
    assert look(tmp_path, row(65534, 5), our_uid=65534).answer is Answer.ACCEPTED


def test_tables_that_are_not_there(tmp_path: Path) -> None:
    found = peers.in_tables(PEER, OURS, tables=[tmp_path / "none"])
    assert found.answer is Answer.UNKNOWN
    assert "cannot be read" in found.reason


def _connection(local: tuple[str, int], remote: tuple[str, int] | tuple[()], pid: int) -> Any:
    return SimpleNamespace(laddr=local, raddr=remote, pid=pid)


THEIR_SIDE = _connection(("127.0.0.1", 45675), ("127.0.0.1", 5678), 77)
NOISE = [
    _connection(("127.0.0.1", 5678), ("127.0.0.1", 45675), 1),
    _connection(("127.0.0.1", 5678), (), 1),
]


@pytest.mark.parametrize(
    ("table", "users", "expected"),
    [
        ([*NOISE, THEIR_SIDE], {77: "me"}, Answer.ACCEPTED),
        ([*NOISE, THEIR_SIDE], {77: "you"}, Answer.REFUSED),
        ([*NOISE, THEIR_SIDE], {}, Answer.UNKNOWN),
        (NOISE, {}, Answer.UNKNOWN),
        ([_connection(("127.0.0.1", 45675), ("127.0.0.1", 5678), 0)], {0: "me"}, Answer.UNKNOWN),
        (
            [_connection(("::ffff:127.0.0.1", 45675), ("::ffff:127.0.0.1", 5678), 77)],
            {77: "me"},
            Answer.ACCEPTED,
        ),
    ],
)
def test_connections_with_processes(
    table: list[Any], users: dict[int, str], expected: Answer
) -> None:
    def owner(pid: int) -> str:
        if pid == os.getpid():
            return "me"
        if pid not in users:
            raise psutil.AccessDenied(pid)
        return users[pid]

    found = peers.in_connections(PEER, OURS, connections=lambda: table, owner=owner)
    assert found.answer is expected


@pytest.mark.parametrize(
    ("them", "expected"),
    [("HOST\\ann", Answer.ACCEPTED), ("HOST\\bob", Answer.REFUSED), ("CORP\\ann", Answer.REFUSED)],
)
def test_users_of_windows(them: str, expected: Answer) -> None:
    """A name is one of its domain."""
    names = {os.getpid(): "HOST\\ann", 77: them}
    found = peers.in_connections(
        PEER, OURS, connections=lambda: [*NOISE, THEIR_SIDE], owner=names.__getitem__
    )
    assert found.answer is expected


@pytest.mark.parametrize(
    "error", [psutil.AccessDenied(77), psutil.NoSuchProcess(77), psutil.ZombieProcess(77)]
)
def test_a_user_whose_name_cannot_be_asked_for(error: Exception) -> None:
    """Windows lets not everybody ask for the user of services; or the process has just ended."""

    def owner(pid: int) -> str:
        raise error

    found = peers.in_connections(PEER, OURS, connections=lambda: [THEIR_SIDE], owner=owner)
    assert found.answer is Answer.UNKNOWN
    assert "process 77" in found.reason


def test_a_table_that_only_root_may_read() -> None:
    """As psutil.net_connections of macOS."""

    def connections() -> Any:
        raise psutil.AccessDenied(os.getpid())

    def look(theirs: End, ours: End) -> Verdict:
        return peers.in_connections(theirs, ours, connections=connections)

    found = peers.check(("127.0.0.1", 5678), ("127.0.0.1", 45675), look=look)
    assert found.answer is Answer.UNKNOWN
    assert "AccessDenied" in found.reason


@pytest.mark.parametrize(
    ("platform", "look"),
    [
        ("linux", peers.in_tables),
        ("win32", peers.in_connections),
        ("darwin", peers.in_processes),
        ("freebsd14", peers.in_processes),
    ],
)
def test_how_each_platform_looks(monkeypatch: pytest.MonkeyPatch, platform: str, look: Any) -> None:
    seen: list[tuple[End, End]] = []

    def looked(theirs: End, ours: End) -> Verdict:
        seen.append((theirs, ours))
        return Verdict(Answer.ACCEPTED, "")

    monkeypatch.setattr(peers, look.__name__, looked)
    monkeypatch.setattr(sys, "platform", platform)
    assert peers.check(("::ffff:127.0.0.1", 5678, 0, 0), ("127.0.0.1", 45675)).answer
    assert seen == [(PEER, OURS)]


class Process:
    def __init__(self, uid: int | Exception, held: Any) -> None:
        self.pid = 77
        self._uid = uid
        self._held = held

    def uids(self) -> Any:
        if isinstance(self._uid, Exception):
            raise self._uid
        return SimpleNamespace(real=self._uid)

    def net_connections(self, kind: str) -> Any:
        assert kind == "tcp"
        if isinstance(self._held, Exception):
            raise self._held
        return self._held


class Former(Process):
    """As of psutil 5."""

    net_connections: Any = None

    def connections(self, kind: str) -> Any:
        assert kind == "tcp"
        return self._held


MAPPED_SIDE = _connection(("::ffff:127.0.0.1", 45675), ("::ffff:127.0.0.1", 5678), 77)


@pytest.mark.parametrize(
    ("processes", "expected"),
    [
        ([Process(5, []), Process(1000, [THEIR_SIDE])], Answer.ACCEPTED),
        ([Process(1000, NOISE), Process(5, [THEIR_SIDE])], Answer.REFUSED),
        ([Process(1000, psutil.AccessDenied(77))], Answer.UNKNOWN),
        ([Process(1000, psutil.NoSuchProcess(77))], Answer.REFUSED),
        ([Process(1000, psutil.AccessDenied(77)), Process(1000, [THEIR_SIDE])], Answer.ACCEPTED),
        ([Process(psutil.ZombieProcess(77), []), Process(1000, [])], Answer.REFUSED),
        ([Process(1000, psutil.ZombieProcess(77))], Answer.REFUSED),
        ([Process(psutil.AccessDenied(77), [THEIR_SIDE])], Answer.UNKNOWN),
        ([Process(1000, OSError(22, "proc_pidinfo"))], Answer.UNKNOWN),
        ([Process(1000, [MAPPED_SIDE])], Answer.ACCEPTED),
        ([Former(1000, [THEIR_SIDE])], Answer.ACCEPTED),
        ([], Answer.REFUSED),
    ],
)
def test_processes_of_our_user(processes: list[Process], expected: Answer) -> None:
    found = peers.in_processes(PEER, OURS, processes=lambda: processes, our_uid=1000)
    assert found.answer is expected


def test_ends() -> None:
    assert end(("::ffff:127.0.0.1", 1, 0, 0)) == end(("127.0.0.1", 1))
    assert end(("fe80::1%eth0", 1)).ip == ipaddress.ip_address("fe80::1")
    assert peers.is_local(("10.0.0.1", 1), ("10.0.0.1", 2))
    assert peers.is_local(("127.0.0.1", 1), ("127.0.0.5", 2))
    assert not peers.is_local(("10.0.0.1", 1), ("10.0.0.2", 2))


def test_a_check_does_not_raise() -> None:
    assert peers.check(("", 0), ()).answer is Answer.UNKNOWN
    assert peers.check(("nonsense", 1), ("127.0.0.1", 1)).answer is Answer.UNKNOWN

    def fails(theirs: End, ours: End) -> Verdict:
        raise IndexError("a row of three fields")

    found = peers.check(("127.0.0.1", 1), ("127.0.0.1", 2), look=fails)
    assert found.answer is Answer.UNKNOWN
    assert "a row of three fields" in found.reason


# -- real connections --------------------------------------------------------------------------


@pytest.fixture(params=["127.0.0.1", "::1"])
def listening(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    with closing(socket.socket(family)) as server:
        try:
            server.bind((request.param, 0))
        except OSError:
            pytest.skip(f"this machine has no {request.param}")
        server.listen()
        server.settimeout(20)
        yield server


def _accepted(server: socket.socket) -> tuple[socket.socket, Any, Any]:
    conn, _ = server.accept()
    return conn, conn.getsockname(), conn.getpeername()


def test_a_process_of_ours(listening: socket.socket) -> None:
    with closing(socket.socket(listening.family)) as client:
        client.connect(listening.getsockname()[:2])
        conn, ours, theirs = _accepted(listening)
        with closing(conn):
            assert peers.check(ours, theirs).answer is Answer.ACCEPTED


def test_a_process_of_ours_found_through_psutil(listening: socket.socket) -> None:
    with closing(socket.socket(listening.family)) as client:
        client.connect(listening.getsockname()[:2])
        conn, ours, theirs = _accepted(listening)
        with closing(conn):
            found = peers.check(ours, theirs, look=peers.in_processes)
            assert found.answer is Answer.ACCEPTED
            if sys.platform != "darwin" or os.getuid() == 0:
                found = peers.check(ours, theirs, look=peers.in_connections)
                assert found.answer is Answer.ACCEPTED


@LINUX
def test_ipv4_through_a_socket_of_ipv6() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
        with closing(socket.socket(socket.AF_INET6)) as client:
            try:
                client.connect(("::ffff:127.0.0.1", port))
            except OSError:
                pytest.skip("this machine has no IPv6")
            conn, ours, theirs = _accepted(server)
            with closing(conn):
                assert peers.check(ours, theirs).answer is Answer.ACCEPTED


@LINUX
def test_one_that_has_hung_up(listening: socket.socket) -> None:
    client = socket.socket(listening.family)
    client.connect(listening.getsockname()[:2])
    conn, ours, theirs = _accepted(listening)
    with closing(conn):
        client.sendall(b"x")
        client.close()
        assert conn.recv(2) == b"x"
        assert conn.recv(1) == b""  # its end is there, so is its row
        assert peers.check(ours, theirs).answer is Answer.UNKNOWN


@pytest.mark.parametrize("way", ["tables", "processes"])
def test_a_process_of_none_of_our_users(listening: socket.socket, way: str) -> None:
    """A real connection, looked at as by a kernel of somebody else."""
    another = os.geteuid() + 4711
    look = peers.in_tables if way == "tables" and sys.platform == "linux" else peers.in_processes
    with closing(socket.socket(listening.family)) as client:
        client.connect(listening.getsockname()[:2])
        conn, ours, theirs = _accepted(listening)
        with closing(conn):
            found = look(end(theirs), end(ours), our_uid=another)
    assert found.answer is not Answer.ACCEPTED
    assert look is peers.in_processes or found.answer is Answer.REFUSED


STRANGER = """
import os, socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
os.setgroups([]); os.setgid(65534); os.setuid(65534)  # from here on nothing can be imported
client = socket.socket(family)
client.connect((sys.argv[1], int(sys.argv[2])))
sys.stdin.read()  # until the test has seen enough
"""


@LINUX
@ROOT
@pytest.mark.parametrize("look", [None, peers.in_connections, peers.in_processes])
def test_a_process_of_another_user(listening: socket.socket, look: Any) -> None:
    host, port = listening.getsockname()[:2]
    command = [sys.executable, "-S", "-c", STRANGER, host, str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as stranger:
        conn, ours, theirs = _accepted(listening)
        with closing(conn):
            found = peers.check(ours, theirs, look=look)
        assert stranger.stdin is not None
        stranger.stdin.close()
    if look is peers.in_processes:  # there may be processes that not even root can look into
        assert found.answer is not Answer.ACCEPTED
    else:
        assert found.answer is Answer.REFUSED
    assert stranger.returncode == 0
