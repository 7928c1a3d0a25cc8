"""Requests that only look, while other shells change what they look at (G1): never an error."""

from __future__ import annotations

import ast
import os
from typing import Any

import pytest

from tests.wire import Wire

COUNT = int(os.environ.get("IPYEXT_LOOKS", "150"))

# Names that change a table whenever somebody who iterates over it looks at one of them.
NAMES = """
import builtins, itertools
class Name(str):
    def __new__(cls, text, table, value=None):
        self = super().__new__(cls, text)
        self.table, self.value, self.numbers = table, value, itertools.count()
        return self
    def _change(self):
        self.table[f'{self}_{next(self.numbers)}'] = self.value
    def __getitem__(self, index):
        self._change()
        return str.__getitem__(self, index)
    def startswith(self, *args):
        self._change()
        return str.startswith(self, *args)
    def split(self, *args):
        self._change()
        return str.split(self, *args)
    __hash__ = str.__hash__
tables = dict(
    user=globals(), builtins=vars(builtins),
    line=get_ipython().magics_manager.magics['line'],
    cell=get_ipython().magics_manager.magics['cell'],
)
def put(where, value=None):
    table = tables[where]
    table[Name('looked_at', table, value)] = value
def take_away(where):
    for name in [name for name in tables[where] if name.startswith('looked_at')]:
        del tables[where][name]
"""


@pytest.fixture
def look(kernel: Wire, child: str) -> Wire:
    assert kernel.execute(NAMES).status == "ok"
    return kernel


@pytest.mark.parametrize("asked", ["main", "child", "service"])
@pytest.mark.parametrize(
    ("table", "code", "found"),
    [
        ("user", "looked_", "looked_at"),
        ("builtins", "looked_", "looked_at"),
        ("line", "%looked_", "%looked_at"),
        ("cell", "%%looked_", "%%looked_at"),
    ],
)
def test_completion_that_changes_what_it_looks_at(
    look: Wire, child: str, table: str, code: str, found: str, asked: str
) -> None:
    look.execute("%config IPCompleter.use_jedi = False")
    assert look.execute(f"put({table!r}, print)").status == "ok"
    busy = look.begin("go.wait(30)") if asked == "service" else None
    content = {"code": code, "cursor_pos": len(code)}
    reply = look.request("complete_request", content, subshell=child if asked == "child" else None)
    assert reply.status == "ok", reply.content
    assert found in reply.content["matches"]
    look.execute(f"go.set(); take_away({table!r})", subshell=child)
    if busy is not None:
        look.wait(busy)
    look.execute("%config IPCompleter.use_jedi = True")


@pytest.mark.parametrize("where", ["main", "child"])
@pytest.mark.parametrize("magic", ["%who", "%who_ls", "%whos", "%psearch looked_*"])
def test_a_listing_that_changes_what_it_lists(
    look: Wire, child: str, magic: str, where: str
) -> None:
    look.execute("put('user', 1)")
    answer = look.execute(magic, subshell=child if where == "child" else None)
    assert answer.status == "ok", answer.content
    look.execute("take_away('user')")


def test_a_dir_that_changes_the_namespace(look: Wire, child: str) -> None:
    look.execute(
        """
class Odd:
    steady = 1
    def __dir__(self):
        for number in range(1000):
            globals()[f'odd_{number}'] = number
            self.__dict__[f'own_{number}'] = number
        return [*self.__dict__, 'steady']
odd = Odd()
"""
    )
    for shell in (None, child):
        content = {"code": "odd.", "cursor_pos": 4}
        reply = look.request("complete_request", content, subshell=shell)
        assert reply.status == "ok", reply.content
        assert {m.rpartition(".")[2] for m in reply.content["matches"]} >= {"steady", "own_999"}


CHURN = """
import builtins, sys, types
churning = threading.Event(); churning.set()
class Thing: pass
thing = Thing(); thing.steady_attribute = 1; steady_name = 2
def churn(table, value, stem):
    while churning.is_set():
        for number in range(50):
            table[f'{stem}{number}'] = value
        for number in range(50):
            del table[f'{stem}{number}']
tables = [
    (globals(), 1, 'name'), (vars(builtins), 1, 'name'), (thing.__dict__, 1, 'name'),
    (sys.modules, types.ModuleType('made_up'), 'made_up'),
    (get_ipython().magics_manager.magics['line'], print, 'made_up'),
]
churners = [threading.Thread(target=churn, args=args, daemon=True) for args in tables]
for thread in churners: thread.start()
"""

LOOKS: list[tuple[str, dict[str, Any]]] = [
    ("complete_request", {"code": "steady_na", "cursor_pos": 9}),
    ("complete_request", {"code": "thing.steady_at", "cursor_pos": 15}),
    ("complete_request", {"code": "%wh", "cursor_pos": 3}),
    ("inspect_request", {"code": "thing", "cursor_pos": 5, "detail_level": 1}),
    ("is_complete_request", {"code": "for i in thing:"}),
    ("comm_info_request", {}),
    ("history_request", {"hist_access_type": "tail", "n": 5, "output": False, "raw": True}),
    ("execute_request", {"code": "%who_ls", "silent": False, "allow_stdin": False}),
]
EXPECTED = ["steady_name", "thing.steady_attribute", "%whos"]


@pytest.mark.parametrize("jedi", [False, True])
@pytest.mark.parametrize("main", ["idle", "busy"])
def test_every_look_while_names_come_and_go(
    kernel: Wire, child: str, main: str, jedi: bool
) -> None:
    assert kernel.execute(f"%config IPCompleter.use_jedi = {jedi}").status == "ok"
    assert kernel.execute(CHURN).status == "ok"
    busy = kernel.begin("go.wait(60)") if main == "busy" else None
    answered = []
    for number in range(COUNT // 10 if jedi else COUNT):
        which = number % len(LOOKS)
        shell = child if number // len(LOOKS) % 2 else None
        msg_type, content = LOOKS[which]
        if msg_type == "execute_request":
            shell = child if busy else shell
        answered.append((which, kernel.request(msg_type, content, subshell=shell)))
    kernel.execute("churning.clear(); go.set()", subshell=child)
    if busy is not None:
        kernel.wait(busy)
    kernel.execute("for thread in churners: thread.join()\n%config IPCompleter.use_jedi = True")
    for which, answer in answered:
        assert answer.status != "error", (LOOKS[which], answer.content)
        if which < len(EXPECTED):
            matches = answer.content["matches"]
            assert EXPECTED[which].rpartition(".")[2] in {m.rpartition(".")[2] for m in matches}
        if LOOKS[which][0] == "execute_request":
            assert "steady_name" in ast.literal_eval(str(answer.result))


def test_completion_leaves_the_filters_of_warnings_alone(kernel: Wire, child: str) -> None:
    """They are the process's: another shell sets one, and warns, in the middle of a completion."""
    assert kernel.execute("%config IPCompleter.use_jedi = False").status == "ok"
    kernel.execute(
        """
import warnings
class Slow:
    def __dir__(self):
        go.set(); done.wait(30)
        return ['found']
slow = Slow()
"""
    )
    content = {"code": "slow.", "cursor_pos": 5}
    completion = kernel.send("complete_request", content, subshell=child)
    cell = kernel.execute(
        """
go.wait(30)
with warnings.catch_warnings():  # as it ends, it puts back what it met
    done.set()
    warnings.simplefilter('always')
    warnings.warn('seen')
warnings.filterwarnings('ignore', 'mine')
"""
    )
    assert "seen" in cell.text("stderr")
    (answer,) = kernel.wait(completion)
    assert answer.status == "ok", answer.content
    assert [match.rpartition(".")[2] for match in answer.content["matches"]][-1:] == ["found"]
    kept = "[f for f in warnings.filters if f[1] is not None and f[1].pattern == 'mine']"
    assert kernel.execute(f"len({kept})").result == "1"
    kernel.execute(f"for f in {kept}: warnings.filters.remove(f)")
    kernel.execute("%config IPCompleter.use_jedi = True")


def test_a_new_child_while_hidden_names_come_and_go(kernel: Wire) -> None:
    """Main's names that are not the person's are copied for it when it runs its first cell."""
    kernel.execute(
        "hidden, looks = get_ipython().user_ns_hidden, []\n"
        "class Changing(str):\n"
        "    def __hash__(self):\n"  # called by who looks whether it is one of certain names
        "        looks.append(len(looks))\n"
        "        hidden[f'_passing_{len(looks)}'] = 1\n"
        "        return str.__hash__(self)\n"
        "hidden[Changing('_changing')] = 1\n"
        "before = len(looks)"
    )
    answer = kernel.execute("'begun'", subshell=kernel.create())
    assert answer.result == "'begun'", answer.content
    assert kernel.execute("len(looks) > before").result == "True"
    kernel.execute("for name in [n for n in list(hidden) if '_passing_' in n]: del hidden[name]")
    kernel.execute("del hidden['_changing']")


def test_an_interrupt_of_a_completion_that_waits_for_another(kernel: Wire, child: str) -> None:
    """One at a time completes; who is interrupted while it waits for that holds up nobody."""
    kernel.execute(
        """
class Slow:
    def __dir__(self):
        print('looking', flush=True)
        go.wait(30)
        return ['steady']
slow = Slow()
%config IPCompleter.use_jedi = False
"""
    )
    first, second = child, kernel.create()
    looking = kernel.send("complete_request", {"code": "slow.", "cursor_pos": 5}, subshell=first)
    kernel.wait_for_text(looking, "looking")
    content = {"code": "thread", "cursor_pos": 6}
    waiting = kernel.send("complete_request", content, subshell=second)
    kernel.until(lambda: kernel.answers[waiting].states == ["busy"], what="the second completion")
    kernel.control("interrupt_request", {"subshell_id": second})
    kernel.execute("go.set()")
    statuses = [answer.status for answer in kernel.wait(looking, waiting)]
    assert statuses == ["ok", "error"]
    for shell in (None, first, second):
        reply = kernel.request("complete_request", content, subshell=shell)
        assert "threading" in reply.content["matches"]
    kernel.execute("%config IPCompleter.use_jedi = True")


# Jedi is not thread-safe. Two calls of it at once would meet while each takes its time.
JEDI_ALONE = """
import jedi
inside, met, names = [], [], set()
complete = jedi.Interpreter.complete
def watched(*args, **kwargs):
    met.extend(inside)
    inside.append(threading.current_thread().name)
    names.add(inside[-1])
    time.sleep(0.002)
    try:
        return complete(*args, **kwargs)
    finally:
        inside.pop()
jedi.Interpreter.complete = watched
"""


@pytest.mark.parametrize("main", ["idle", "busy"])
def test_one_call_of_jedi_at_a_time(kernel: Wire, child: str, main: str) -> None:
    assert kernel.execute(JEDI_ALONE).status == "ok"
    children = [child, kernel.create(), kernel.create()]
    busy = kernel.begin("go.wait(60)") if main == "busy" else None
    content = {"code": "threading.Ev", "cursor_pos": 12}
    sent = [
        kernel.send("complete_request", content, subshell=where)
        for _ in range(15)
        for where in (None, *children)
    ]
    sent += [kernel.send("complete_request", content, channel="control") for _ in range(15)]
    for answer in kernel.wait(*sent):
        assert "Event" in {match.rpartition(".")[2] for match in answer.content["matches"]}
    kernel.execute("go.set(); jedi.Interpreter.complete = complete", subshell=child)
    if busy is not None:
        kernel.wait(busy)
    assert kernel.execute("met").result == "[]"
    threads = 4 if busy else 5  # those of the children, that of the service, and main's
    assert kernel.execute("len(names)").result == str(threads)
