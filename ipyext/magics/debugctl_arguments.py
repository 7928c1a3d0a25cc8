"""The arguments of %debugctl, one parser for each sub-command."""

from __future__ import annotations

import difflib
import re
from argparse import Namespace
from collections.abc import Callable
from typing import Any, NamedTuple

from IPython.core.error import UsageError
from IPython.core.magic_arguments import argument, magic_arguments, parse_argstring

from ipyext.debug.breakpoints import FILTERS

_THREAD = "A shell (main, the name or id of a child) or a thread; the one that stopped last."


class Action(NamedTuple):
    """A sub-command.

    Attributes:
        usage: how it is written, after its name.
        help: what it does.
        kind: a function with the magic_arguments; None for those that take the line as it is.
    """

    usage: str
    help: str
    kind: Any | None


@magic_arguments()
def _nothing(line: str) -> None:
    """No arguments."""


@magic_arguments()
@argument("thread", nargs="?", metavar="THREAD", help=_THREAD)
def _thread(line: str) -> None:
    """A thread that is stopped."""


@magic_arguments()
@argument("thread", nargs="?", metavar="THREAD", help=_THREAD)
@argument("--all", action="store_true", help="Every thread that is stopped.")
def _continue(line: str) -> None:
    """Threads that are stopped."""


@magic_arguments()
@argument("thread", nargs="?", metavar="THREAD", help="What to stop; main if left out.")
def _pause(line: str) -> None:
    """A thread that runs."""


@magic_arguments()
@argument("thread", nargs="?", metavar="THREAD", help=_THREAD)
@argument("--frame", type=int, default=0, metavar="N", help="Which frame, outwards from 0.")
def _locals(line: str) -> None:
    """A frame of a stopped thread."""


@magic_arguments()
@argument("address", nargs="?", default="0", help="PORT or HOST:PORT; any free port if left out.")
@argument("--force", action="store_true", help="Let others in than processes of this user, too.")
def _listen(line: str) -> None:
    """An address."""


@magic_arguments()
@argument("which", nargs="?", help="The number of a breakpoint, or its place.")
@argument("--all", action="store_true", help="All breakpoints of this client.")
def _clear(line: str) -> None:
    """A breakpoint."""


@magic_arguments()
@argument("which", nargs="*", help=f"{', '.join(FILTERS)}; or none.")
def _exceptions(line: str) -> None:
    """Which exceptions to stop at."""


@magic_arguments()
@argument("shell", nargs="?", help="One shell; all of them if left out.")
def _stacks(line: str) -> None:
    """A shell."""


@magic_arguments()
@argument("setting", nargs="?", metavar="stop=all|thread", help="What a breakpoint stops.")
def _config(line: str) -> None:
    """A setting."""


BREAK = "PLACE [if CONDITION] [hits N] [log MESSAGE]"
ACTIONS = {
    "status": Action("", "the debugger, its clients, and what is stopped", _nothing),
    "start": Action("", "start debugging", _nothing),
    "stop": Action("", "leave: breakpoints of this client go", _nothing),
    "listen": Action("[HOST:]PORT [--force]", "open a port for VS Code and other editors", _listen),
    "unlisten": Action("", "close that port", _nothing),
    "clients": Action("", "who debugs", _nothing),
    "threads": Action("", "the threads, and which are stopped", _nothing),
    "where": Action("[THREAD]", "where a stopped thread is", _thread),
    "pause": Action("[THREAD]", "stop a thread that runs; without a name main", _pause),
    "continue": Action("[THREAD|--all]", "let a stopped thread go on", _continue),
    "next": Action("[THREAD]", "run to the next line, over calls", _thread),
    "step": Action("[THREAD]", "run to the next line, into calls", _thread),
    "finish": Action("[THREAD]", "run until the function returns", _thread),
    "break": Action(BREAK, "stop at FILE:LINE, In[N]:LINE, or a function", None),
    "breakpoints": Action("", "the breakpoints of this client", _nothing),
    "clear": Action("N|PLACE|--all", "remove breakpoints", _clear),
    "exceptions": Action("[raised|uncaught|userUnhandled|none...]", "stop at these", _exceptions),
    "locals": Action("[THREAD] [--frame N]", "local variables of a stopped thread", _locals),
    "eval": Action("EXPRESSION", "evaluate where the latest thread has stopped", None),
    "stacks": Action("[SHELL]", "what every shell does now; needs no debugger", _stacks),
    "config": Action("[stop=all|thread]", "what a breakpoint stops", _config),
}
_BREAK_HELP = f"""%debugctl break {BREAK}

PLACE is one of
  FILE:LINE        a line of a file, such as model.py:12
  In[N]:LINE       a line of main's cell N; NAME/In[N]:LINE of a cell of subshell NAME
  FUNCTION         the name of a function

if CONDITION     stop only where this expression is true
hits N           stop at the N-th time only; also >= N, > N, < N, <= N, % N (every N-th time)
log MESSAGE      print MESSAGE, with {{expressions}} filled in, instead of stopping

  %debugctl break In[3]:5 if total > 100
  %debugctl break model.py:12 hits % 10 log total is {{total}}
"""
_EVAL_HELP = """%debugctl eval EXPRESSION

Evaluates where the latest thread has stopped; with the variables of main if none is stopped.
"""
_HITS = re.compile(r"\s*hits\s+(?P<hits>(?:==|>=|<=|>|<|%)?\s*\d+)\s*(?=\Z|log\s)")


def help_of(name: str) -> str:
    """What ``%debugctl NAME --help`` says."""
    if name == "break":
        return _BREAK_HELP
    if name == "eval":
        return _EVAL_HELP
    action = ACTIONS[name]
    lines = [
        f"%debugctl {name} {action.usage}".rstrip(),
        "",
        f"{action.help[0].upper()}{action.help[1:]}.",
        "",
    ]
    parser: Any = action.kind.parser  # type: ignore[union-attr]
    for one in parser._actions:  # noqa: SLF001  # argparse has no public way to list them
        shown = ", ".join(one.option_strings) or one.metavar or one.dest
        lines.append(f"  {shown:16} {one.help}")
    return "\n".join(lines).rstrip() + "\n"


def overview() -> str:
    """What ``%debugctl --help`` says."""
    lines = [
        "%debugctl ACTION: the debugger of this kernel, also while main runs or is stopped.",
        "",
    ]
    for name, action in ACTIONS.items():
        lines += [f"  {name} {action.usage}".rstrip(), f"      {action.help}"]
    lines += [
        "",
        "%debugctl ACTION --help says more. THREAD is a shell, such as main, or a number.",
    ]
    return "\n".join(lines) + "\n"


def parse_line(line: str) -> tuple[str, Namespace]:
    """The sub-command and its arguments; ``help`` in them is what to print instead.

    Raises:
        UsageError: it does not fit; the message says what would.
    """
    name, _, rest = line.strip().partition(" ")
    rest = rest.strip()
    if name in ("--help", "-h", "help"):
        return "help", Namespace(help=overview())
    name = name or "status"
    action = ACTIONS.get(name)
    if action is None:
        near = difflib.get_close_matches(name, ACTIONS, 1)
        hint = f"Did you mean '{near[0]}'? " if near else ""
        raise UsageError(
            f"%debugctl has no action {name!r}. {hint}"
            f"Actions: {', '.join(ACTIONS)}. See %debugctl --help"
        )
    if rest in ("--help", "-h"):
        return name, Namespace(help=help_of(name))
    usage = f"Usage: %debugctl {name} {action.usage}".rstrip()
    if action.kind is None:
        return name, _RAW[name](rest, usage)
    comment = re.search(r"(?:^|\s)#", rest)
    try:
        found = parse_argstring(action.kind, rest if comment is None else rest[: comment.start()])
    except (UsageError, ValueError) as error:  # ValueError: an unfinished quotation
        raise UsageError(f"%debugctl {line.strip()}: {error}. {usage}") from None
    assert isinstance(found, Namespace)
    if name == "clear" and bool(found.which) == found.all:
        raise UsageError(usage)
    found.help = None
    if name == "listen":
        found.host, found.port = parse_address(found.address)
    if name == "config":
        found.stop = _setting(found.setting, usage)
    return name, found


def parse_address(text: str) -> tuple[str, int]:
    """``PORT``, ``HOST:PORT`` or ``[HOST]:PORT``.

    Raises:
        UsageError: it is none of those.
    """
    host, _, port = text.rpartition(":")
    if not port.isdigit():
        raise UsageError(
            f"{text!r} is no address. Use PORT or HOST:PORT, for instance 5678 or 127.0.0.1:5678."
        )
    return host.strip("[]") or "127.0.0.1", int(port)


def _setting(text: str | None, usage: str) -> str | None:
    if text is None:
        return None
    name, _, value = text.partition("=")
    if name != "stop" or value not in ("all", "thread"):
        raise UsageError(f"{text!r} is no setting. {usage}")
    return value


def parse_break(rest: str, usage: str = f"Usage: %debugctl break {BREAK}") -> Namespace:
    """What follows ``%debugctl break``.

    Raises:
        UsageError: see `parse_line`.
    """
    found = re.match(r"""("(?P<quoted>[^"]+)"(?P<more>:\d+)?|(?P<plain>\S+))\s*""", rest)
    if found is None:
        raise UsageError(f"{usage}. See %debugctl break --help")
    place = found["plain"] or found["quoted"] + (found["more"] or "")
    condition, tail = _condition(rest[found.end() :], usage)
    hits = None
    match = _HITS.match(tail)
    if match is not None:
        hits, tail = re.sub(r"\s+", " ", match["hits"]), tail[match.end() :]
    log = None
    if re.match(r"log\s", tail):
        log, tail = tail[3:].strip(), ""
    if tail:
        raise UsageError(f"{tail!r} is not understood. {usage}. See %debugctl break --help")
    return Namespace(help=None, place=place, condition=condition, hits=hits, log=log)


def _condition(text: str, usage: str) -> tuple[str | None, str]:
    """The condition and what follows: as much as makes an expression."""
    if not re.match(r"if\s", text):
        return None, text
    text = text[2:].strip()
    ends = [found.start() for found in re.finditer(r"\s(?:hits|log)\s", text)]
    problem = None
    for end in [len(text), *reversed(ends)]:
        try:
            compile(text[:end].strip(), "<condition>", "eval")
        except SyntaxError as error:
            problem = error.msg
        else:
            return text[:end].strip(), text[end:].strip()
    raise UsageError(f"The condition {text!r} is no expression ({problem}). {usage}")


def _eval(rest: str, usage: str) -> Namespace:
    if not rest:
        raise UsageError(usage)
    return Namespace(help=None, expression=rest)


_RAW: dict[str, Callable[[str, str], Namespace]] = {"break": parse_break, "eval": _eval}
