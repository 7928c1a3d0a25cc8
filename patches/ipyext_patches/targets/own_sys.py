"""`sys` as %run sees it: what it swaps for a while, it swaps for its own shell.

It saves an attribute, sets its own, and puts the saved one back. Done to the process by two
shells at once, that shows one shell what is meant for the other, and what remains at the end is
the value of whoever came first.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

from ipyext_patches.ledger import Action, Change, Ledger, SetAttribute
from ipyext_patches.ports import Hooks
from ipyext_patches.spec import Patch
from ipyext_patches.targets import imports

RUN = Patch(
    id="ipython.run",
    target="sys in IPython.core.magics.execution",
    what="%run gives each shell its own sys.argv, and leaves __main__ as it was.",
    why="Two that overlap see each other's arguments, and leave them behind for good.",
    upstream="IPython/core/magics/execution.py run",
)
WATCH = Patch(
    id="ipython.run-watch",
    target="sys.meta_path",
    what="Notices when the module of %run is imported, and patches it then.",
    why="IPython 9.16 on imports it when it is first used.",
    upstream="IPython/core/magic.py",
)
MISSING = object()


class OwnSys:
    """Stands for `sys` in one module: some attributes are the calling shell's, the rest is real."""

    def __init__(self, **own: Any) -> None:
        object.__setattr__(self, "_own", own)

    def __getattr__(self, name: str) -> Any:
        own = self._own.get(name)
        return getattr(sys, name) if own is None else own.get()

    def __setattr__(self, name: str, value: Any) -> None:
        own = self._own.get(name)
        if own is None:
            setattr(sys, name, value)
        else:
            own.set(value)

    def __delattr__(self, name: str) -> None:
        delattr(sys, name)

    def __dir__(self) -> list[str]:
        return dir(sys)


class Stores:
    """What is kept for the calling shell, main included."""

    def __init__(self, hooks: Hooks) -> None:
        self._hooks = hooks
        self.main: dict[str, Any] = {}

    def here(self) -> dict[str, Any]:
        store = self._hooks.storage()
        return self.main if store is None else store


class ShellArgv(list):  # type: ignore[type-arg]
    """`sys.argv` while a child runs a script: the arguments of the calling shell."""

    def __init__(self, stores: Stores, plain: Any) -> None:
        super().__init__(plain)
        self._stores = stores
        self.plain = plain

    def here(self) -> Any:
        return self._stores.here().get("argv", self.plain)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return list, (list(self.here()),)


def _forward(name: str) -> Callable[..., Any]:
    def method(self: ShellArgv, *args: Any, **kwargs: Any) -> Any:
        return getattr(self.here(), name)(*args, **kwargs)

    method.__name__ = name
    return method


for _name in (
    *("__getitem__", "__setitem__", "__delitem__", "__iter__", "__len__", "__contains__"),
    *("__reversed__", "__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__repr__"),
    *("__add__", "__iadd__", "__mul__", "__rmul__", "__imul__", "append", "extend", "insert"),
    *("pop", "remove", "clear", "index", "count", "sort", "reverse", "copy"),
):
    setattr(ShellArgv, _name, _forward(_name))
# A list on the left would take what is stored here, which is nobody's.
ShellArgv.__radd__ = lambda self, other: other + list(self.here())  # type: ignore[attr-defined]


class OwnArgv:
    """`sys.argv` as %run sees it. Main's is the real one unless a child runs a script, too."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._lock = threading.Lock()
        self._shared: ShellArgv | None = None
        self._running = 0  # children that have arguments of their own

    def _plain(self) -> Any:
        return sys.argv if self._shared is None else self._shared.plain

    def get(self) -> Any:
        store = self._stores.here()
        with self._lock:
            if "argv" in store:
                return store["argv"]
            found = self._plain()
            store["argv before"] = found
            return found

    def set(self, value: Any) -> None:
        store = self._stores.here()
        with self._lock:
            if store is self._stores.main:
                if self._shared is None:
                    sys.argv = value
                else:
                    self._shared.plain = value
            elif value is store.get("argv before"):
                self._running -= store.pop("argv", None) is not None
                if not self._running:
                    self._end()
            else:
                self._running += "argv" not in store
                store["argv"] = value
                if self._shared is None:
                    self._shared = ShellArgv(self._stores, sys.argv)
                sys.argv = self._shared

    def _end(self) -> None:
        if self._shared is not None:  # as %run, whatever the script has put there
            sys.argv, self._shared = self._shared.plain, None

    def close(self) -> None:
        """Leave main's arguments, in a plain list."""
        with self._lock:
            self._end()


class OwnModules(MutableMapping[str, Any]):
    """`sys.modules` as %run sees it: `__main__` is that of the script that was started last.

    There is one table for the process, and imports and pickle look into it. What was there before
    is there again when the last script has ended, in whatever order they do.
    """

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._lock = threading.Lock()
        self._scripts: dict[str, list[tuple[dict[str, Any], Any]]] = {}
        self._before: dict[str, Any] = {}

    def get(self, *args: Any) -> Any:
        return sys.modules.get(*args) if args else self

    def __getitem__(self, name: str) -> Any:
        store = self._stores.here()
        with self._lock:
            own = [module for where, module in self._scripts.get(name, ()) if where is store]
            found = own[-1] if own else self._before.get(name, MISSING)
            if found is MISSING:
                found = sys.modules[name]
            store["asked for"] = name  # whoever sets it next is a script that begins
            return found

    def __setitem__(self, name: str, module: Any) -> None:
        store = self._stores.here()
        begins = store.pop("asked for", None) == name
        with self._lock:
            if name == "__mp_main__":
                sys.modules[name] = module
            elif name == "__main__" and not begins:
                self._ended(name, store, module)
            else:
                scripts = self._scripts.setdefault(name, [])
                if not scripts:
                    self._before[name] = sys.modules.get(name, MISSING)
                scripts.append((store, module))
                sys.modules[name] = module

    def __delitem__(self, name: str) -> None:
        with self._lock:
            self._ended(name, self._stores.here(), MISSING)

    def _ended(self, name: str, store: dict[str, Any], otherwise: Any) -> None:
        scripts = self._scripts.get(name, [])
        for index in reversed(range(len(scripts))):
            if scripts[index][0] is store:
                del scripts[index]
                break
        else:  # it began before we were loaded
            self._put(name, otherwise)
            return
        if scripts:
            self._put(name, scripts[-1][1])
        else:
            del self._scripts[name]
            self._put(name, self._before.pop(name))

    @staticmethod
    def _put(name: str, module: Any) -> None:
        if module is MISSING:
            sys.modules.pop(name, None)
        else:
            sys.modules[name] = module

    def __contains__(self, name: object) -> bool:
        return name in sys.modules

    def __iter__(self) -> Iterator[str]:
        return iter(sys.modules)

    def __len__(self) -> int:
        return len(sys.modules)


def changes(ledger: Ledger, stores: Stores) -> Iterator[Change]:
    """Give that module a `sys` of its own, when it is there: it is imported when first used."""
    argv = OwnArgv(stores)
    run = OwnSys(argv=argv, modules=OwnModules(stores))

    def execution(module: Any) -> list[Change]:
        return [Action(RUN, lambda: None, argv.close), SetAttribute(RUN, module, "sys", run)]

    yield from imports.changes(WATCH, ledger, {"IPython.core.magics.execution": execution})
