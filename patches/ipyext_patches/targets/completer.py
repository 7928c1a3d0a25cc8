"""IPython: completion and listings while other shells change what they look at."""

from __future__ import annotations

import builtins
import functools
import re
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import MethodType, SimpleNamespace
from typing import Any

from IPython.core import completer as ipython_completer
from IPython.core.hooks import CommandChainDispatcher

from ipyext_patches.ledger import Action, Change, Ledger, SetAttribute, SetItem, Switch
from ipyext_patches.ports import Hooks
from ipyext_patches.spec import ITEM, Patch, function
from ipyext_patches.targets import imports
from ipyext_patches.targets.ipython import MAGICS
from ipyext_patches.targets.namespace import ChildNamespace

COMPLETE = Patch(
    id="completer.complete",
    target="ipykernel.ipkernel.IPythonKernel.do_complete",
    what="Completes in a copy of the namespace. On a line of ours offers what fits there.",
    why=(
        "The completer iterates over variables while other shells make and delete some. IPython "
        "adds Python's names, and all magics where a custom completer finds nothing."
    ),
    upstream="IPython/core/completer.py global_matches, custom_completer_matcher",
    shape=function("code", "cursor_pos"),
)
BUILTINS = Patch(
    id="completer.builtins",
    target="IPython.core.completer.builtin_mod",
    what="Gives a copy of the builtins.",
    why="The completer iterates over them while other shells make and delete some.",
    upstream="IPython/core/completer.py global_matches",
)
WARNINGS = Patch(
    id="completer.warnings",
    target="`warnings` in IPython.core.completer and in Jedi; warnings._showwarnmsg",
    what="They silence warnings for themselves, not for the process.",
    why=(
        "catch_warnings() swaps the filters of the process. Where two shells overlap in it, one "
        "puts back the other's: completion fails with ProvisionalCompleterWarning (without a reply "
        "by the stock kernel), and filters that a cell has set, or its warnings, get lost."
    ),
    upstream="IPython/core/completer.py provisionalcompleter; jedi/inference/compiled/access.py",
)
TABLES = Patch(
    id="completer.magics",
    target="IPython.core.magic.MagicsManager.lsmagic (main's)",
    what="Returns a copy of the tables of magics.",
    why="The completer and %lsmagic iterate over them while other shells register some.",
    upstream="IPython/core/magic.py",
    shape=function(),
)
LISTINGS = Patch(
    id="magics.listings",
    target="%who, %who_ls, %whos and %psearch",
    what="List a copy of the namespace.",
    why="They iterate over variables while other shells make and delete some.",
    upstream="IPython/core/magics/namespace.py",
    shape=ITEM,
)

TRIES = 20
WAIT = 2.0  # seconds that an unload waits for a completion, which might be somebody's endless code


def steadily(function: Callable[[], Any]) -> Any:
    """What `function` returns, which only looks: again, if what it looked at changed meanwhile.

    A copy of a plain dict is taken in one step. What needs more is code of others that iterates:
    over a mapping written in Python, over the attributes of somebody's object. Every try is
    another chance, but code that changes itself what it iterates over would go on for ever.
    """
    for _ in range(TRIES - 1):
        try:
            return function()
        except RuntimeError as error:
            if "during iteration" not in str(error) and "mutated" not in str(error):
                raise
    return function()


def snapshot(namespace: dict[str, Any]) -> dict[str, Any]:
    """The names in `namespace` and their values, at one moment. Any thread."""
    own = isinstance(namespace, ChildNamespace)
    found = namespace.copy() if own else steadily(lambda: dict(namespace))
    return {name: value for name, value in found.items() if isinstance(name, str)}


class _Builtins:
    """Stands for the module: `builtin_mod.__dict__` is all that the completer asks of it."""

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
        return snapshot(vars(builtins))

    def __getattr__(self, name: str) -> Any:
        return getattr(builtins, name)


class _Warnings:
    """Stands for the module `warnings` in code that only looks.

    Its `catch_warnings` is the calling thread's: what this thread warns of within goes nowhere.
    """

    def __init__(self) -> None:
        self._mine = threading.local()

    @property
    def _quiet(self) -> bool:
        return bool(getattr(self._mine, "depth", 0))

    @contextmanager
    def catch_warnings(self, *args: Any, **kwargs: Any) -> Iterator[list[Any]]:
        self._mine.depth = getattr(self._mine, "depth", 0) + 1
        try:
            yield []
        finally:
            self._mine.depth -= 1

    def warn(self, message: Any, category: Any = None, stacklevel: int = 1, **more: Any) -> None:
        if not self._quiet:
            warnings.warn(message, category, stacklevel + 1, **more)

    def _set_filter(self, name: str, *args: Any, **kwargs: Any) -> None:
        if not self._quiet:
            getattr(warnings, name)(*args, **kwargs)

    def filterwarnings(self, *args: Any, **kwargs: Any) -> None:
        self._set_filter("filterwarnings", *args, **kwargs)

    def simplefilter(self, *args: Any, **kwargs: Any) -> None:
        self._set_filter("simplefilter", *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(warnings, name)

    def changes(self) -> Iterator[Change]:
        show = warnings._showwarnmsg  # type: ignore[attr-defined]

        def _showwarnmsg(message: Any) -> None:
            if not self._quiet:
                show(message)

        yield SetAttribute(WARNINGS, warnings, "_showwarnmsg", _showwarnmsg)
        for name in (ipython_completer.__name__, *_JEDI):
            if getattr(sys.modules.get(name), "warnings", None) is warnings:
                yield SetAttribute(WARNINGS, sys.modules[name], "warnings", self)


_JEDI = ("jedi.inference.compiled.access", "jedi.inference.docstrings")


def changes(
    ledger: Ledger, hooks: Hooks, main: Any, completers: dict[str, Any]
) -> Iterator[Change]:
    """Completion and listings, and custom completers: IPython cannot unregister those either.

    Where one of those applies, front ends get what it says and nothing else.
    """
    table = main.strdispatchers["complete_command"].strs
    ours = {word: CommandChainDispatcher([(0, found)]) for word, found in completers.items()}
    complete = main.kernel.do_complete
    steady = _Steady(main, hooks)

    @functools.wraps(complete)
    def do_complete(code: str, cursor_pos: int | None = None, *args: Any, **kwargs: Any) -> Any:
        end = len(code) if cursor_pos is None else cursor_pos
        line = code[:end].rpartition("\n")[2]
        word, space, _ = re.split(r"(\s|$)", line.lstrip(), maxsplit=1)
        whole_cell = word.startswith("%%") and code[:end].strip() != line.strip()
        if not space or whole_cell or table.get(word) is not ours.get(word, complete):
            return steady.run(lambda: complete(code, cursor_pos, *args, **kwargs))
        symbol = re.split(r"\s", line)[-1]
        event = SimpleNamespace(line=line, symbol=symbol, command=word, text_until_cursor=line)
        return {
            "status": "ok",
            "matches": [match for match in completers[word](event) if match.startswith(symbol)],
            "cursor_start": end - len(symbol),
            "cursor_end": end,
            "metadata": {},
        }

    for word, dispatcher in ours.items():
        yield SetItem(MAGICS, table, word, dispatcher)
    yield from _Warnings().changes()
    yield SetAttribute(BUILTINS, ipython_completer, "builtin_mod", _Builtins())
    # Between these: nobody completes any more when those above are undone.
    yield Action(COMPLETE, lambda: None, steady.end)
    yield SetAttribute(COMPLETE, main.kernel, "do_complete", do_complete)
    yield from _magics(ledger, main.magics_manager)


class _Steady:
    """Main's completer, which all shells use, works on a copy of the namespace meanwhile."""

    def __init__(self, main: Any, hooks: Hooks) -> None:
        self._main = main
        self._hooks = hooks
        self._ended = False
        self._lock = threading.RLock()  # what is completed may run code that completes

    def run(self, complete: Callable[[], Any]) -> Any:
        """`complete()`, which gives a reply; again if something changed under it. Any thread."""

        def once() -> Any:
            with self._lock:
                if self._ended:
                    return complete()
                with self._copied():
                    return complete()

        return steadily(once)

    def end(self) -> None:
        """Afterwards nobody completes our way, if whoever does comes to an end. Any thread."""
        if self._lock.acquire(timeout=WAIT):
            self._ended = True
            self._lock.release()

    @contextmanager
    def _copied(self) -> Iterator[None]:
        completer = self._main.Completer
        former = completer.namespace, completer.global_namespace
        local = snapshot(former[0])
        copies = (local, local if former[1] is former[0] else snapshot(former[1]))
        completer.namespace, completer.global_namespace = copies
        try:
            yield
        finally:
            with self._hooks.uninterrupted():
                completer.namespace, completer.global_namespace = former


class _Listed:
    """An InteractiveShell whose namespace stands still."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self.user_ns = snapshot(shell.user_ns)
        self.user_ns_hidden = snapshot(shell.user_ns_hidden)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._shell, name)


def _magics(ledger: Ledger, manager: Any) -> Iterator[Change]:
    def lsmagic() -> dict[str, Any]:
        return {kind: snapshot(table) for kind, table in manager.magics.items()}

    yield SetAttribute(TABLES, manager, "lsmagic", lsmagic)
    lines = manager.magics["line"]

    def namespace(module: Any) -> list[Change]:
        cls = module.NamespaceMagics
        replaced: dict[Any, Any] = {}

        def put_back() -> None:
            for name, bound in [*lines.items()]:  # what IPython 9.16 has bound meanwhile
                if type(bound) is MethodType and bound.__func__ in replaced:
                    lines[name] = MethodType(replaced[bound.__func__], bound.__self__)

        found: list[Change] = [Action(LISTINGS, lambda: None, put_back)]
        for name in ("who", "who_ls", "whos", "psearch"):
            stock = vars(cls)[name]
            ours = _listing(ledger.switch, stock)
            replaced[ours] = stock
            found.append(SetAttribute(LISTINGS, cls, name, ours))
            bound = lines.get(name)
            # Up to IPython 9.15 the table has it from the start; not what another tool has put in.
            if type(bound) is MethodType and bound.__func__ is stock:
                found.append(SetItem(LISTINGS, lines, name, MethodType(ours, bound.__self__)))
        return found

    yield from imports.changes(LISTINGS, ledger, {"IPython.core.magics.namespace": namespace})


def _listing(switch: Switch, method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def listing(magics: Any, *args: Any, **kwargs: Any) -> Any:
        if not switch.on or isinstance(magics.shell, _Listed):
            return method(magics, *args, **kwargs)
        cls: Any = type(magics)
        twin = cls.__new__(cls)
        twin.__dict__.update(magics.__dict__)
        twin._trait_values = {**magics._trait_values}
        twin.shell = _Listed(magics.shell)
        return method(twin, *args, **kwargs)

    return listing
