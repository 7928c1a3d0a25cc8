"""Who is at the other end of a TCP connection from this machine.

Whoever talks to the debugger can run any code as us. So a peer has to be a process of our own
user, and what cannot be found out counts as no.

Linux's own table names the owner of every socket, and everybody may read it. Elsewhere the
process has to be found first, through psutil. Both take milliseconds where there are many sockets
or processes: call `check` off the event loop. Any thread may.
"""

from __future__ import annotations

import functools
import ipaddress
import os
import struct
import sys
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

import psutil

TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_UID_MAP = Path("/proc/self/uid_map")
_OVERFLOW_UID = Path("/proc/sys/kernel/overflowuid")
_EVERYBODY = ["0", "0", "4294967295"]

_IPv4 = ipaddress.IPv4Address
_IPv6 = ipaddress.IPv6Address


class Answer(Enum):
    """Whether a peer may come in."""

    ACCEPTED = "accepted"  # it is a process of our user
    REFUSED = "refused"  # it is another user's
    UNKNOWN = "unknown"  # nobody can say


class Verdict(NamedTuple):
    """An answer, and the reason for people."""

    answer: Answer
    reason: str


class End(NamedTuple):
    """One end of a connection."""

    ip: _IPv4 | _IPv6
    port: int


def end(address: tuple[Any, ...]) -> End:
    """The end that a socket's address names. IPv4 that came through IPv6 is IPv4.

    Raises:
        ValueError: it is no internet address.
    """
    ip = ipaddress.ip_address(str(address[0]).partition("%")[0])
    if isinstance(ip, _IPv6) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return End(ip, int(address[1]))


def is_local(sock_local: tuple[Any, ...], sock_remote: tuple[Any, ...]) -> bool:
    """Whether the peer runs on this machine: it has a loopback address, or our own one."""
    ours, theirs = end(sock_local), end(sock_remote)
    return theirs.ip.is_loopback or theirs.ip == ours.ip


def check(
    sock_local: tuple[Any, ...],
    sock_remote: tuple[Any, ...],
    *,
    look: Callable[[End, End], Verdict] | None = None,
) -> Verdict:
    """Who has the other end of an accepted connection. Never raises.

    Args:
        sock_local: `getsockname` of our end.
        sock_remote: `getpeername` of our end.
        look: finds the owner of the peer's socket, given its ends as the peer sees them (its
            own, then ours); the one of this platform.
    """
    try:
        ours, theirs = end(sock_local), end(sock_remote)
    except (ValueError, IndexError, TypeError) as error:
        return _unknown(f"its address cannot be read ({error})")
    try:
        return (look or _of_this_platform())(theirs, ours)
    except Exception as error:  # a table that looks as none before: nobody comes in for that
        return _unknown(f"its owner cannot be found out ({type(error).__name__}: {error})")


def _of_this_platform() -> Callable[[End, End], Verdict]:
    found: dict[str, Callable[[End, End], Verdict]]
    found = {"linux": in_tables, "win32": in_connections}
    return found.get(sys.platform, in_processes)


def _unknown(why: str) -> Verdict:
    return Verdict(Answer.UNKNOWN, why)


# -- Linux -------------------------------------------------------------------------------------


def in_tables(
    theirs: End,
    ours: End,
    *,
    tables: Sequence[Path] = TABLES,
    our_uid: int | None = None,
    hidden_uid: int | None = None,
) -> Verdict:
    """Look the peer up in the kernel's tables of TCP sockets.

    Args:
        theirs: the peer's end.
        ours: ours.
        tables: files in the format of /proc/net/tcp.
        our_uid: ours; found out by default.
        hidden_uid: what stands for every user that our user namespace does not know; found out
            by default.
    """
    our_uid = os.geteuid() if our_uid is None else our_uid
    hidden_uid = _hidden_uid() if hidden_uid is None else hidden_uid
    wanted = [f" {_hex(a)} {_hex(b)} " for a, b in zip(_ways(theirs), _ways(ours), strict=True)]
    unread: list[str] = []
    # Twice: a reader may miss a row while others come and go.
    for table in [*tables, *tables]:
        try:
            text = table.read_text("ascii")
        except (OSError, UnicodeDecodeError) as error:
            unread.append(f"{table}: {error}")
            continue
        row = next((line for line in text.splitlines() if any(w in line for w in wanted)), None)
        if row is not None:
            return _judge(row.split(), our_uid, hidden_uid)
    if unread:
        return _unknown(f"the table of sockets cannot be read ({'; '.join(unread)})")
    return _unknown("the system knows no such connection (any more)")


def _judge(fields: list[str], our_uid: int, hidden_uid: int) -> Verdict:
    uid, inode = int(fields[7]), fields[9]
    # What nobody holds open any more is listed with uid 0, whoever had it.
    if inode == "0":
        return _unknown("it has hung up already")
    if uid == hidden_uid:
        return _unknown("its user is hidden from us by a user namespace")
    if uid != our_uid:
        return Verdict(Answer.REFUSED, f"it belongs to another user (uid {uid}, ours is {our_uid})")
    return Verdict(Answer.ACCEPTED, f"it belongs to the same user (uid {uid})")


def _ways(which: End) -> list[End]:
    """An end as it may be listed: IPv4 also as IPv6, which a socket of IPv6 can talk."""
    if isinstance(which.ip, _IPv6):
        return [which]
    return [which, End(_IPv6(b"\0" * 10 + b"\xff\xff" + which.ip.packed), which.port)]


def _hex(which: End) -> str:
    """An end as the tables write it: words of 32 bits in the order of the machine."""
    packed = which.ip.packed
    words = struct.unpack(f"={len(packed) // 4}I", packed)
    return "".join(f"{word:08X}" for word in words) + f":{which.port:04X}"


@functools.cache
def _hidden_uid() -> int:
    """What stands for users of whom our user namespace knows nothing; -1 if it knows all."""
    try:
        if _UID_MAP.read_text("ascii").split() == _EVERYBODY:
            return -1
        return int(_OVERFLOW_UID.read_text("ascii"))
    except (OSError, ValueError):
        return 65534


# -- elsewhere ---------------------------------------------------------------------------------


def in_connections(
    theirs: End,
    ours: End,
    *,
    connections: Callable[[], Iterable[Any]] | None = None,
    owner: Callable[[int], str] | None = None,
) -> Verdict:
    """Look the peer's process up in psutil's table of all connections, then its owner. Windows.

    Args:
        theirs: the peer's end.
        ours: ours.
        connections: gives the table.
        owner: gives the user of a process.
    """
    table = connections or (lambda: psutil.net_connections(kind="tcp"))
    user = owner or (lambda pid: psutil.Process(pid).username())
    pid = next((found.pid for found in table() if _joins(found, theirs, ours)), None)
    if not pid:  # Windows gives those that nobody holds open to process 0
        return _unknown("no process has that connection (any more)")
    try:
        them = user(pid)
    except psutil.Error as error:
        return _unknown(f"the user of process {pid} cannot be found out ({error})")
    us = user(os.getpid())
    if them != us:
        return Verdict(Answer.REFUSED, f"process {pid} belongs to another user ({them})")
    return Verdict(Answer.ACCEPTED, f"process {pid} belongs to the same user ({them})")


def in_processes(
    theirs: End,
    ours: End,
    *,
    processes: Callable[[], Iterable[Any]] | None = None,
    our_uid: int | None = None,
) -> Verdict:
    """Look for the peer among the processes of our user. macOS and others.

    Only root sees everybody's connections there, but everybody sees their own.

    Args:
        theirs: the peer's end.
        ours: ours.
        processes: gives all processes, as psutil's.
        our_uid: ours; found out by default.
    """
    our_uid = os.getuid() if our_uid is None else our_uid
    unread = 0
    for process in (processes or psutil.process_iter)():
        try:
            if process.uids().real != our_uid:
                continue
            listing = getattr(process, "net_connections", None) or process.connections
            if any(_joins(found, theirs, ours) for found in listing(kind="tcp")):
                why = f"process {process.pid} belongs to the same user (uid {our_uid})"
                return Verdict(Answer.ACCEPTED, why)
        except psutil.NoSuchProcess:
            continue
        except (psutil.Error, OSError):
            unread += 1
    if unread:
        return _unknown(f"no process has it that can be looked into; {unread} cannot")
    return Verdict(Answer.REFUSED, f"no process of our user (uid {our_uid}) has that connection")


def _joins(found: Any, theirs: End, ours: End) -> bool:
    if not found.laddr or not found.raddr:
        return False
    try:
        return end(tuple(found.laddr)) == theirs and end(tuple(found.raddr)) == ours
    except ValueError:
        return False
