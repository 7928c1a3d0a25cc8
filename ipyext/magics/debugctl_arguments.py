"""The arguments of %debugctl, one parser for each sub-command."""

from __future__ import annotations

import re
from argparse import Namespace

from IPython.core.error import UsageError
from IPython.core.magic_arguments import argument

from ipyext.debug.capabilities import FILTERS
from ipyext.magics.actions import Action, Arguments, Declared

_THREAD = "A shell (main, the name or id of a child) or a thread; the one that stopped last."
BREAK = "PLACE [if CONDITION] [hits N] [log MESSAGE]"
_HITS = re.compile(r"\s*hits\s+(?P<hits>(?:==|>=|<=|>|<|%)?\s*\d+)\s*(?=\Z|log\s)")


@Arguments
@argument("thread", nargs="?", metavar="THREAD", help=_THREAD)
def _thread(line: str) -> None:
    """A thread that is stopped."""


@Arguments
@argument("thread", nargs="?", metavar="THREAD", help=_THREAD)
@argument("--all", action="store_true", help="Every thread that is stopped.")
def _continue(line: str) -> None:
    """Threads that are stopped."""


@Arguments
@argument("thread", nargs="?", metavar="THREAD", help="What to stop; main if left out.")
def _pause(line: str) -> None:
    """A thread that runs."""


@Arguments
@argument("thread", nargs="?", metavar="THREAD", help=_THREAD)
@argument("--frame", type=int, default=0, metavar="N", help="Which frame, outwards from 0.")
def _locals(line: str) -> None:
    """A frame of a stopped thread."""


@Arguments
@argument("address", nargs="?", default="0", help="PORT or HOST:PORT; any free port if left out.")
@argument(
    "--force",
    action="store_true",
    help="Let peers in from elsewhere, too, and those whose user cannot be found out.",
)
def _listen(line: str) -> None:
    """An address."""


@Arguments
@argument("which", nargs="?", help="The number of a breakpoint, or its place.")
@argument("--all", action="store_true", help="All breakpoints of this client.")
def _clear(line: str) -> None:
    """A breakpoint."""


@Arguments
@argument("which", nargs="*", help=f"{', '.join(FILTERS)}; or none.")
def _exceptions(line: str) -> None:
    """Which exceptions to stop at."""


@Arguments
@argument("shell", nargs="?", help="One shell; all of them if left out.")
def _stacks(line: str) -> None:
    """A shell."""


@Arguments
@argument("setting", nargs="?", metavar="stop=all|thread", help="What a breakpoint stops.")
def _config(line: str) -> None:
    """A setting."""


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


def _address(arguments: Namespace, usage: str) -> None:
    arguments.host, arguments.port = parse_address(arguments.address)


def _one_or_all(arguments: Namespace, usage: str) -> None:
    if bool(arguments.which) == arguments.all:
        raise UsageError(usage)


def _setting(arguments: Namespace, usage: str) -> None:
    text = arguments.setting
    name, _, value = (text or "").partition("=")
    if text is not None and (name != "stop" or value not in ("all", "thread")):
        raise UsageError(f"{text!r} is no setting. {usage}")
    arguments.stop = value or None


def parse_break(rest: str, usage: str = f"Usage: %debugctl break {BREAK}") -> Namespace:
    """What follows ``%debugctl break``.

    Raises:
        UsageError: it does not fit; the message says what would.
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
    return Namespace(place=place, condition=condition, hits=hits, log=log)


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
    return Namespace(expression=rest)


_BREAK_EXAMPLE = """\
PLACE is one of
  FILE:LINE        a line of a file, such as model.py:12
  In[N]:LINE       a line of main's cell N; NAME/In[N]:LINE of a cell of subshell NAME
  FUNCTION         the name of a function

if CONDITION     stop only where this expression is true
hits N           stop at the N-th time only; also >= N, > N, < N, <= N, % N (every N-th time)
log MESSAGE      print MESSAGE, with {expressions} filled in, instead of stopping

  %debugctl break In[3]:5 if total > 100
  %debugctl break model.py:12 hits % 10 log total is {total}"""
ACTIONS = {
    "status": Action(
        "", "how things are: the debugger, its clients, what is stopped, which port is open"
    ),
    "start": Action("", "start debugging"),
    "stop": Action(
        "",
        "leave: the breakpoints of this client go",
        more="Others go on, and after the last one nothing is traced.",
    ),
    "break": Action(
        BREAK,
        "stop at FILE:LINE, In[N]:LINE, or a function",
        more="What `log` prints appears under the cell that set such a breakpoint last.",
        example=_BREAK_EXAMPLE,
        raw=parse_break,
    ),
    "breakpoints": Action("", "the breakpoints of this client"),
    "clear": Action("N|PLACE|--all", "remove breakpoints", _clear, check=_one_or_all),
    "exceptions": Action(
        "[raised|uncaught|userUnhandled|none...]", "stop at these exceptions", _exceptions
    ),
    "pause": Action("[THREAD]", "stop a thread that runs; without a name, main", _pause),
    "where": Action(
        "[THREAD]", "where a stopped thread is: the source around it, and its stack", _thread
    ),
    "next": Action("[THREAD]", "run to the next line, over calls", _thread),
    "step": Action("[THREAD]", "run to the next line, into calls", _thread),
    "finish": Action("[THREAD]", "run until the function returns", _thread),
    "continue": Action("[THREAD|--all]", "let a stopped thread go on", _continue),
    "locals": Action("[THREAD] [--frame N]", "local variables of a stopped thread", _locals),
    "eval": Action(
        "EXPRESSION",
        "evaluate, or execute a statement, where the latest thread has stopped",
        more="If none is stopped, with the variables of main.",
        raw=_eval,
    ),
    "threads": Action("", "the threads that run people's code, and which are stopped"),
    "clients": Action("", "everybody who debugs"),
    "stacks": Action(
        "[SHELL]",
        "what every shell does now, by line",
        _stacks,
        "It needs no debugger, and stops nobody.",
    ),
    "listen": Action(
        "[[HOST:]PORT] [--force]",
        "open a port for VS Code and other editors",
        _listen,
        "It prints what to paste into VS Code, PyCharm, nvim-dap and Emacs. Only processes of the "
        "same user on the same machine come in. With `--force` everybody who can reach the "
        "address from elsewhere does, and can run code in this kernel; an SSH tunnel to a loopback "
        "port is the better way.",
        check=_address,
    ),
    "unlisten": Action("", "close that port"),
    "config": Action(
        "[stop=all|thread]",
        "what a breakpoint stops: all threads, or the one that came by",
        _config,
        "The setting `debug_stop` is the same.",
        check=_setting,
    ),
}
DEBUGCTL = Declared(
    "%debugctl",
    "The debugger of this kernel, also while main runs or is stopped.",
    ACTIONS,
    "status",
    "A cell that holds only such lines is answered at once, also while main is busy. THREAD is\n"
    "a shell (main, the name or id of a subshell) or the number of a thread; without one, the\n"
    "thread that stopped last is meant.\n",
)
