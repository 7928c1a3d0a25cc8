"""matplotlib: figures belong to the shell that made them. Patched once it is imported."""

from __future__ import annotations

import functools
import sys
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from ipyext_patches.ledger import Action, Change, Ledger, SetAttribute, Wrap
from ipyext_patches.ports import Hooks
from ipyext_patches.spec import Patch, function
from ipyext_patches.targets import imports
from ipyext_patches.targets.child_shell import ChildShellMixin

FIGURES = Patch(
    id="figures.pyplot",
    target="matplotlib._pylab_helpers.Gcf.figs",
    what="Every shell has its own figures, and so its own current figure and close('all').",
    why="A figure that main has not finished shows under the cell of whoever finishes first.",
    upstream="matplotlib/_pylab_helpers.py",
)
INLINE = Patch(
    id="figures.inline",
    target="matplotlib_inline.backend_inline.show (ipykernel 5: ipykernel.pylab.backend_inline)",
    what="Every shell has its own list of figures to draw at the end of its cell.",
    why="One flag says for all shells whether there is something to draw.",
    upstream="matplotlib_inline/backend_inline.py flush_figures",
)
SETTINGS = Patch(
    id="figures.settings",
    target="matplotlib_inline.backend_inline.configure_inline_support "
    "(ipykernel 5: ipykernel.pylab.backend_inline)",
    what="Whichever shell switches the inline backend on, its settings belong to main's.",
    why="They are one object for the process, which would keep a child's shell after its end.",
    upstream="matplotlib_inline/backend_inline.py configure_inline_support",
    shape=function("shell", "backend"),
)
WATCH = Patch(
    id="figures.watch",
    target="sys.meta_path",
    what="Notices when matplotlib is imported, and patches it then.",
    why="Importing it ourselves would cost a second that most kernels never need.",
    upstream="Python import system",
)
CLOSE = Patch(
    id="figures.close",
    target="matplotlib._pylab_helpers.Gcf.destroy_fig",
    what="plt.close(figure) closes that figure, whichever shell has made it.",
    why="pyplot looks among its open figures, and those are now the calling shell's.",
    upstream="matplotlib/_pylab_helpers.py",
    shape=function("fig"),
)
BACKENDS = ("matplotlib_inline.backend_inline", "ipykernel.pylab.backend_inline")

_lent: ContextVar[OrderedDict[Any, Any] | None] = ContextVar("ipyext_figures", default=None)


class ShellFigures(MutableMapping[Any, Any]):
    """Looks like pyplot's ordered dict of figure managers, and is the calling shell's."""

    def __init__(self, hooks: Hooks, main: OrderedDict[Any, Any]) -> None:
        self._hooks = hooks
        self._main = main
        self._of_children: weakref.WeakValueDictionary[int, OrderedDict[Any, Any]] = (
            weakref.WeakValueDictionary()
        )

    def _here(self) -> OrderedDict[Any, Any]:
        lent = _lent.get()
        if lent is not None:
            return lent
        store = self._hooks.storage()
        if store is None:
            return self._main
        found: OrderedDict[Any, Any] | None = store.get("figures")
        if found is None:
            found = store.setdefault("figures", OrderedDict())
            self._of_children[id(found)] = found
        return found

    def with_figure(self, figure: Any) -> list[OrderedDict[Any, Any]]:
        """The tables of other shells that have `figure`."""
        here = self._here()
        tables = [self._main, *list(self._of_children.values())]
        return [
            table
            for table in tables
            if table is not here
            and any(manager.canvas.figure is figure for manager in list(table.values()))
        ]

    @contextmanager
    def lent(self, table: OrderedDict[Any, Any]) -> Iterator[None]:
        """The calling code sees the figures of another shell."""
        token = _lent.set(table)
        try:
            yield
        finally:
            _lent.reset(token)

    def __getitem__(self, number: Any) -> Any:
        return self._here()[number]

    def __setitem__(self, number: Any, manager: Any) -> None:
        self._here()[number] = manager

    def __delitem__(self, number: Any) -> None:
        del self._here()[number]

    def __iter__(self) -> Iterator[Any]:
        yield from list(self._here())  # another shell may close one meanwhile

    def __reversed__(self) -> Iterator[Any]:
        yield from reversed(list(self._here()))

    def __len__(self) -> int:
        return len(self._here())

    def values(self) -> Any:
        return list(self._here().values())  # reversible, as pyplot needs it

    def move_to_end(self, number: Any, last: bool = True) -> None:
        self._here().move_to_end(number, last)


class ShellShow:
    """The inline backend's `show`, whose bookkeeping lives on the function as attributes."""

    def __init__(self, hooks: Hooks, original: Any, managers: Callable[[], Iterable[Any]]) -> None:
        functools.update_wrapper(self, original)
        self._hooks = hooks
        self._original = original
        self._managers = managers
        self._early: weakref.WeakSet[Any] = weakref.WeakSet()

    def take_over(self) -> None:
        """Know what was queued while the import that we wait for had switched it on already."""
        self._early.update(self._original._to_draw)

    def _queued_early(self) -> list[Any]:
        if not self._early:
            return []
        own = [manager.canvas.figure for manager in self._managers()]
        return [figure for figure in own if figure in self._early]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._original(*args, **kwargs)

    def _get(self, name: str, default: Any) -> Any:
        store = self._hooks.storage()
        return getattr(self._original, name) if store is None else store.get(name, default)

    def _set(self, name: str, value: Any) -> None:
        store = self._hooks.storage()
        if store is None:
            setattr(self._original, name, value)
        else:
            store[name] = value

    @property
    def _draw_called(self) -> bool:
        return bool(self._get("_draw_called", False) or self._queued_early())

    @_draw_called.setter
    def _draw_called(self, value: bool) -> None:
        self._set("_draw_called", value)

    @property
    def _to_draw(self) -> list[Any]:
        store = self._hooks.storage()
        if store is None:
            found: list[Any] = self._original._to_draw
            return found
        if "_to_draw" not in store:
            store["_to_draw"] = self._queued_early()
        return store["_to_draw"]  # type: ignore[no-any-return]

    @_to_draw.setter
    def _to_draw(self, value: list[Any]) -> None:
        self._early.difference_update(self._queued_early())
        self._set("_to_draw", value)


def _main(shell: Any) -> Any:
    """The parent subshell's shell, for that of a child; else what was given."""
    return shell.main if isinstance(shell, ChildShellMixin) else shell


def changes(ledger: Ledger, hooks: Hooks) -> Iterator[Change]:
    """Patch what of matplotlib is imported, and the rest as soon as it is."""

    def pyplot(module: Any) -> list[Change]:
        figures = ShellFigures(hooks, module.Gcf.figs)

        def destroy(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> None:
            figure = args[0] if args else kwargs["fig"]
            wrapped(figure)
            for table in figures.with_figure(figure):
                with figures.lent(table):
                    wrapped(figure)

        return [
            SetAttribute(FIGURES, module.Gcf, "figs", figures),
            Wrap(CLOSE, module.Gcf, "destroy_fig", destroy, ledger.switch),
        ]

    def inline(module: Any) -> list[Change]:
        original, show = module.show, ShellShow(hooks, module.show, module.Gcf.get_all_fig_managers)

        def give_back() -> None:
            # pyplot copies the names of a backend into a class when it switches to it.
            backend = getattr(sys.modules.get("matplotlib.pyplot"), "_backend_mod", None)
            if backend is not None and vars(backend).get("show") is show:
                backend.show = original

        def configure(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
            given = {**dict(zip(("shell", "backend"), args, strict=False)), **kwargs}
            return wrapped(_main(given["shell"]), given["backend"])

        def settle() -> None:
            # Where the backend is the default one, its import has switched it on.
            if module.InlineBackend.initialized():
                settings = module.InlineBackend.instance()
                settings.shell, settings.parent = _main(settings.shell), _main(settings.parent)

        return [
            SetAttribute(INLINE, module, "show", show),
            Action(INLINE, show.take_over, give_back),
            Wrap(SETTINGS, module, "configure_inline_support", configure, ledger.switch),
            Action(SETTINGS, settle, lambda: None),
        ]

    makers = {"matplotlib._pylab_helpers": pyplot, **dict.fromkeys(BACKENDS, inline)}
    yield from imports.changes(WATCH, ledger, makers)
