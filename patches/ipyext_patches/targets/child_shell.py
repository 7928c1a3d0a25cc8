"""IPython: an InteractiveShell of its own for every child subshell.

One InteractiveShell used by several threads is the root of most crossing between subshells: its
display hook, its count, its history, its last exception. A child's shell shares main's magics,
events, transformers, formatters and configuration, by falling back to main for every attribute
that it has not got itself, and owns what belongs to one shell only.
"""

from __future__ import annotations

import bdb
import copy
import functools
import inspect
import logging
import sys
import types
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import IPython
from IPython.core.error import UsageError
from IPython.core.magic import Magics
from IPython.core.payload import PayloadManager
from IPython.core.pylabtools import mpl_runner

from ipyext_patches.frames import leave_out
from ipyext_patches.ledger import Change, Ledger, Wrap
from ipyext_patches.ports import Context, Hooks, Message
from ipyext_patches.spec import Patch, Wrapper, function
from ipyext_patches.targets.history import ChildHistory, HistorySink
from ipyext_patches.targets.namespace import ChildNamespace, is_reserved


class _SharedTraits(dict):  # type: ignore[type-arg]
    """Trait values that fall back to main's, so that configuration changes reach every child."""

    def __init__(self, shared: dict[str, Any]) -> None:
        super().__init__()
        self._shared = shared

    def __missing__(self, name: str) -> Any:
        return self._shared[name]


ERRORS = Patch(
    id="ipython.errors",
    target="IPython.core.interactiveshell.InteractiveShell.showtraceback, _showtraceback, "
    "showsyntaxerror, _get_exc_info",
    what="Called on main's shell by code of a child, they show the child's errors.",
    why="Tools that replace them in main's shell keep main's own to call it: rich.traceback does.",
    upstream="IPython/core/interactiveshell.py; rich/traceback.py install",
    shape=function(),
)


class _NullTrap:
    """Stands for main's display and builtin traps, which stay in place between cells."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc_info: object) -> None:
        pass


class ChildShellMixin:
    """What a child's InteractiveShell does differently. Lives in its child's thread only."""

    main: Any
    _namespace: ChildNamespace
    _last_exc_info: tuple[Any, Any, Any] | None
    _context: Callable[[], Context | None]

    def __getattr__(self, name: str) -> Any:
        if name == "main":
            raise AttributeError(name)
        return getattr(self.main, name)

    @property
    def user_ns(self) -> ChildNamespace:
        return self._namespace

    @user_ns.setter
    def user_ns(self, value: Any) -> None:
        self._namespace.shared.update(value)

    @property
    def autocall(self) -> int:
        """What the prefilters go by, which are main's."""
        return int(self.main.autocall)

    @autocall.setter
    def autocall(self, mode: int) -> None:
        self.main.autocall = mode

    @property
    def parent_header(self) -> Message:
        context = self._context()
        return {} if context is None else context.message

    def get_parent(self) -> Message:
        return self.parent_header

    def showtraceback(self, *args: Any, **kwargs: Any) -> None:
        context = self._context()
        if context is None or not context.muted:  # nobody would see it, and it takes a while
            self._as_main("showtraceback", *args, **kwargs)

    def _showtraceback(self, *args: Any, **kwargs: Any) -> None:
        self._as_main("_showtraceback", *args, **kwargs)

    def showsyntaxerror(self, *args: Any, **kwargs: Any) -> None:
        self._as_main("showsyntaxerror", *args, **kwargs)

    def _as_main(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Call what people have put in its place in main's shell, or else IPython's method."""
        method, own = getattr(super(), name), vars(self.main).get(name)
        # ipykernel puts main's method there itself when it has set a backend of matplotlib.
        plain = own is None or _function(own) is _function(method)
        (method if plain else own)(*args, **kwargs)

    def set_parent(self, parent: Message) -> None:
        """Nothing to keep: outputs look up the request that they belong to."""

    def enable_gui(self, gui: Any = None) -> None:
        """Refuse: the kernel has one GUI event loop, and main runs it.

        Raises:
            UsageError: always, unless there is nothing to enable (`%matplotlib inline`).
        """
        if gui is not None:
            raise UsageError(f"GUI event loops run on the main thread: use %gui {gui} in main.")

    def enable_matplotlib(self, gui: Any = None) -> Any:
        """As IPython's, but `%run` in main goes on to run its scripts in main's shell."""
        found = super().enable_matplotlib(gui)  # type: ignore[misc]
        magics = self.main.magics_manager.registry["ExecutionMagics"]
        magics.default_runner = mpl_runner(self.main.safe_execfile)
        return found

    def reset(self, new_session: bool = True, aggressive: bool = False) -> None:
        """As IPython's, for the shared variables and the child's own state; main keeps its own.

        Raises:
            UsageError: modules are to be dropped as well.
        """
        if aggressive:
            raise UsageError("Modules are shared by all subshells: use --aggressive in main.")
        self.history_manager.reset(new_session)
        if new_session:
            self.execution_count = 1
        self.last_execution_succeeded, self.last_execution_result = True, None
        if self.displayhook.do_full_cache:
            self.displayhook.flush()
        namespace = self._namespace
        kept = {*self.main.user_ns_hidden, "__builtin__", "__builtins__", "__name__"}
        for name in namespace.shared.copy():
            if name not in kept and not is_reserved(name):
                namespace.shared.pop(name, None)
        self._own_names()

    def _own_names(self) -> None:
        """Give the reserved names the values that they have in a fresh child."""
        namespace, history = self._namespace, self.history_manager
        for name in [name for name in namespace if is_reserved(name)]:
            del namespace[name]
        namespace["_ih"] = namespace["In"] = history.input_hist_parsed
        namespace["_oh"] = namespace["Out"] = history.output_hist
        for name in ("_i", "_ii", "_iii", "_", "__", "___"):
            namespace[name] = ""
        # What %who and %whos leave out, by identity.
        self.user_ns_hidden.update({name: namespace[name] for name in ("In", "Out")})

    @contextmanager
    def _tee(self, channel: str) -> Iterator[None]:
        # IPython 9 swaps `sys.stdout.write` around every cell; swaps of several shells pile up.
        yield

    def _get_exc_info(self, exc_tuple: Any = None) -> tuple[Any, Any, Any]:
        """As IPython's, but the last exception is the child's own: `sys.last_*` stay main's."""
        found = sys.exc_info() if exc_tuple is None else exc_tuple
        if found[0] is None:
            found = self._last_exc_info or found
        if found[0] is None:
            raise ValueError("No exception to find")
        leave_out(found[1])
        self._last_exc_info = found
        return found

    def debugger(self, force: bool = False) -> None:
        """Debug the child's own last exception, post mortem; `sys.last_*` are main's.

        IPython's way also swaps `sys.displayhook` for as long as the debugger is open.
        """
        if not (force or self.call_pdb):
            return
        if self._last_exc_info is None:
            logging.error("No traceback has been produced, nothing to debug.")  # as IPython says it
            return
        _, error, traceback = self._last_exc_info
        if self.InteractiveTB.pdb is None:
            self.InteractiveTB.pdb = self.InteractiveTB.debugger_cls()
        pdb = self.InteractiveTB.pdb
        pdb.reset()
        pdb.botframe = (
            traceback.tb_frame if traceback.tb_next is None else traceback.tb_next.tb_frame
        )
        pdb.interaction(None, error if hasattr(pdb, "_get_tb_and_exceptions") else traceback)

    async def run_code(self, code_obj: Any, result: Any = None, *, async_: bool = False) -> bool:
        """Run compiled code of a cell; False if it went well, as IPython's method.

        Unlike IPython's it leaves `sys.excepthook` alone, which is one for all threads, and it
        picks the fastest namespace that is right.
        """
        __tracebackhide__ = "__ipython_bottom__"
        shared = self._namespace.shared
        names: Any = shared
        if any(is_reserved(name) for name in code_obj.co_names):
            names = self._namespace
        try:
            if async_:
                await eval(code_obj, self.user_global_ns, names)
            else:
                exec(code_obj, self.user_global_ns, names)
        except SystemExit as error:
            self._note(result, error)
            self.showtraceback(exception_only=True)
            warnings.warn("To exit: use 'exit', 'quit', or Ctrl-D.", stacklevel=1)
        except bdb.BdbQuit as error:
            self._note(result, error)
        except self.custom_exceptions as error:
            self._note(result, error)
            self.CustomTB(*sys.exc_info())
        except BaseException as error:
            self._note(result, error)
            self.showtraceback(running_compiled_code=True)
        else:
            return False
        return True

    @staticmethod
    def _note(result: Any, error: BaseException) -> None:
        # IPython 9 counts the frames that it hides, without its own; this one stands for one of
        # those. Before, it takes the first frame off whatever that is.
        traceback = error.__traceback__
        if IPython.version_info >= (9,) and traceback is not None:
            error.__traceback__ = traceback.tb_next or traceback
        if result is not None:
            result.error_in_exec = error

    def _find_with_lazy_load(self, /, type_: str, magic_name: str) -> Any:
        return self._rebind(self.main._find_with_lazy_load(type_, magic_name))

    def find_magic(self, magic_name: str, magic_kind: str = "line") -> Any:
        return self._rebind(self.main.find_magic(magic_name, magic_kind))

    def find_line_magic(self, magic_name: str) -> Any:
        return self._rebind(self.main.find_line_magic(magic_name))

    def find_cell_magic(self, magic_name: str) -> Any:
        return self._rebind(self.main.find_cell_magic(magic_name))

    def _rebind(self, magic: Any) -> Any:
        """The same magic, working on this shell instead of main's."""
        owner = getattr(magic, "__self__", None)
        if isinstance(owner, Magics) and owner.shell is self.main:
            return types.MethodType(magic.__func__, self._own_copy(owner))
        if getattr(magic, "shell", None) is self.main:  # aliases such as %ls are objects
            return self._own_copy(magic)
        cells = getattr(magic, "__closure__", None) or ()
        if any(self._is_mains(cell) for cell in cells):  # %%bash and its kin are closures
            own = [
                types.CellType(self._own_copy(cell.cell_contents)) if self._is_mains(cell) else cell
                for cell in cells
            ]
            twin = types.FunctionType(
                magic.__code__, magic.__globals__, magic.__name__, magic.__defaults__, tuple(own)
            )
            twin.__dict__.update(magic.__dict__)
            return twin
        return magic

    def _is_mains(self, cell: types.CellType) -> bool:
        try:
            owner = cell.cell_contents
        except ValueError:  # not filled yet
            return False
        return isinstance(owner, Magics) and owner.shell is self.main

    def _own_copy(self, owner: Any) -> Any:
        key = id(owner)
        if key not in self._copies:
            cls: Any = type(owner)
            twin = cls.__new__(cls)
            twin.__dict__.update(owner.__dict__)
            if "_trait_values" in owner.__dict__:
                twin._trait_values = dict(owner._trait_values)
            twin.shell = self
            self._copies[key] = (owner, twin)  # holding `owner` keeps its id taken
        twin = self._copies[key][1]
        if getattr(owner, "default_runner", None) is not None:  # since a %matplotlib, of %run
            twin.default_runner = mpl_runner(self.safe_execfile)
        return twin


def changes(ledger: Ledger, hooks: Hooks, main: Any) -> Iterator[Change]:
    """See `ERRORS`."""

    def meant(name: str) -> Wrapper:
        def method(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
            context = hooks.current() if instance is main else None
            child = None if context is None else context.interactive
            if child is not None:
                # Not the child's own method, which would look for what people have put there.
                owner = child if name == "_get_exc_info" else super(ChildShellMixin, child)
                wrapped = getattr(owner, name)
            return wrapped(*args, **kwargs)

        return method

    for name in ("showtraceback", "_showtraceback", "showsyntaxerror", "_get_exc_info"):
        yield Wrap(ERRORS, type(main), name, meant(name), ledger.switch)


def _function(method: Any) -> Any:
    """What is behind a bound method, under whatever wraps it."""
    return inspect.unwrap(getattr(method, "__func__", method))


@functools.lru_cache(maxsize=4)
def _child_class(main_class: Any) -> Any:
    # The same name: libraries recognise a kernel by `get_ipython().__class__.__name__`.
    return type(
        main_class.__name__,
        (ChildShellMixin, main_class),
        {"__module__": main_class.__module__, "__doc__": main_class.__doc__},
    )


def new_child_shell(
    main: Any,
    display_pub: Any,
    sink: HistorySink | None,
    context: Callable[[], Context | None],
    label: str,
) -> Any:
    """A shell of its own beside `main`. Call it in the thread that will use it.

    Args:
        main: the parent subshell's InteractiveShell.
        display_pub: the publisher that they share; main's may be a capture at the moment.
        sink: where its inputs are stored, or None.
        context: gives the request that is being answered.
        label: shown in its repr and in error messages.
    """
    main_class: Any = type(main)
    cls = _child_class(main_class)
    shell = cls.__new__(cls)
    shell.__dict__["main"] = main
    shell._trait_values = _SharedTraits(main._trait_values)
    shell.__dict__["display_trap"] = shell.__dict__["builtin_trap"] = _NullTrap()
    shell._trait_values["display_trap"] = shell._trait_values["builtin_trap"] = _NullTrap()
    shell._context = context
    shell._label = label
    shell._trait_values["display_pub"] = shell.__dict__["display_pub"] = display_pub
    shell._copies = {}
    shell._main_mod_cache = {}  # by file: a script that two shells run has a namespace in each
    shell._last_exc_info = None
    shell._namespace = ChildNamespace(main.user_ns)
    # A copy, made in one step: main's cells may change it meanwhile.
    shell.user_ns_hidden = {
        name: value for name, value in dict(main.user_ns_hidden).items() if not is_reserved(name)
    }
    shell.execution_count = 1
    shell.last_execution_succeeded = True
    shell.last_execution_result = None
    shell._last_traceback = None
    shell._last_traceback_during_displayhook = False
    shell.showing_traceback = False
    # compile() flags are switched on and off around every node of a cell (top-level await).
    shell.compile = copy.copy(main.compile)
    shell.InteractiveTB = copy.copy(main.InteractiveTB)
    shell.InteractiveTB.pdb = shell.InteractiveTB.tb = None
    shell.SyntaxTB = copy.copy(main.SyntaxTB)
    shell.payload_manager = PayloadManager()
    shell.history_manager = ChildHistory(shell, main.history_manager, sink, label)
    shell._own_names()
    hook = main.displayhook
    shell.displayhook = own = type(hook)(shell=shell, cache_size=hook.cache_size)
    own.session, own.pub_socket, own.topic = hook.session, hook.pub_socket, hook.topic
    return shell
