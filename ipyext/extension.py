"""Puts the parts together and takes them apart. The one place with state of its own."""

from __future__ import annotations

import atexit
import contextlib
from typing import Any

from IPython.core.error import UsageError
from traitlets import TraitError

from ipyext.config import IPyExt, unknown
from ipyext.errors import NotLoadedError
from ipyext.host import KernelHost
from ipyext.kernel_log import KernelLog
from ipyext.magics import notice
from ipyext.magics.arguments import parse_cell_line
from ipyext.magics.debugctl import DebugctlMagics
from ipyext.magics.subshell import SubshellMagics
from ipyext.shells.engine import Engine
from ipyext.threads.loop_thread import LoopThread
from ipyext_patches import PatchError, find_host

_active: Extension | None = None


class Extension:
    """A loaded extension: a kernel, an engine, and the threads that the kernel has not got itself.

    Raises:
        PatchError, TraitError: nothing was changed and no thread is left.
    """

    def __init__(self, main: Any) -> None:
        self.host: KernelHost = find_host(main)
        self.engine = Engine(self.host, parse_cell_line, self._set_stop)
        self.config = IPyExt(self.engine, parent=main)
        host = self.host
        self._shell = None if host.has_shell_channel_thread else LoopThread("Shell channel")
        self._control = None if host.has_control_thread else LoopThread("Control")
        self._threads = [thread for thread in (self._shell, self._control) if thread is not None]
        self._main = main
        magics: list[Any] = [
            SubshellMagics(main, self.engine),
            DebugctlMagics(main, self.engine),
        ]
        stock = _features(host)
        self._log = KernelLog(host.kernel.log)
        self._log.attach()
        for thread in self._threads:
            thread.start()
        try:
            host.open(
                self.engine,
                self._shell,
                self._control,
                self.engine.handlers(),
                magics,
                {word: found for one in magics for word, found in one.completers().items()},
            )
        except BaseException:
            self._stop_threads()
            self._log.detach()
            raise
        try:
            if host.in_handler:
                self.engine.main_begins()
            self._gained = _features(host) - stock
            if host.started:
                self.engine.outputs.expect_more(self.engine.parent.message(main))
            self.config.apply()
            main.configurables.append(self.config)  # for %config
            host.begin()
        except BaseException:
            self.close()
            raise
        # Before ipykernel closes its sockets: atexit runs last registered first.
        atexit.register(self._at_exit)

    def tell_loaded(self) -> None:
        """Tell a person who has loaded it from a cell what the front end does not know yet."""
        if self.host.started:
            notice.show(True, self._gained)

    def tell_unloaded(self) -> None:
        """The same about what the front end still believes, for `close` from a cell."""
        if self.engine.current() is not None or self.engine.main_context() is not None:
            notice.show(False, self._gained)

    def _set_stop(self, stop: str) -> None:
        self.config.debug_stop = stop

    def _at_exit(self) -> None:
        self.engine.router.closing = True
        self.engine.debug.leave()
        self.engine.abandon()
        self.host.leave()

    def close(self) -> None:
        """Give the stock kernel back. See `Host.close` for what may be left until main is free."""
        atexit.unregister(self._at_exit)
        configurables = self._main.configurables
        configurables[:] = [found for found in configurables if found is not self.config]
        self.engine.router.closing = True
        # The last one first. All of them, also where an interrupt ends the wait of one.
        with contextlib.ExitStack() as steps:
            steps.callback(self._log.detach)
            steps.callback(self.host.close)
            steps.callback(self.host.on_released, self._stop_threads)
            steps.callback(self.engine.outputs.close)
            steps.callback(self.engine.retire)
            steps.callback(self.engine.debug.close)

    def forget(self) -> None:
        """Have IPython know that it is not loaded any more."""
        self._main.extension_manager.loaded.discard("ipyext")

    def _stop_threads(self) -> None:
        for thread in self._threads:
            thread.finish()


def _features(host: KernelHost) -> set[str]:
    """What front ends can do with the kernel now, in the words of kernel_info."""
    features = set(host.kernel.kernel_info.get("supported_features", ()))
    if "debug_request" in host.kernel.control_handlers:  # ipykernel 6 does not announce it
        features.add("debugger")
    return features


def load(main: Any) -> None:
    """Extend the kernel of `main`, an InteractiveShell.

    Raises:
        UsageError: it cannot be done; the message says why, and nothing was changed.
    """
    global _active
    if _active is not None:
        raise UsageError("ipyext is loaded in this kernel already.")
    try:
        _active = Extension(main)
    except PatchError as error:
        raise UsageError(str(error)) from None
    except TraitError as error:
        raise UsageError(
            f"ipyext was not loaded and nothing was changed: a setting is wrong. "
            f"{str(error).rstrip('.')}. Correct it where you set it (a configuration file, or "
            f"%config IPyExt.NAME = VALUE)."
        ) from None
    if not _active.host.started:  # in a cell traitlets has said so; here nobody would hear it
        for message in unknown(main.config.IPyExt):
            _active.host.kernel.log.warning(message)
    _active.tell_loaded()


def unload() -> None:
    """Give the stock kernel back; does nothing if the extension is not loaded."""
    global _active
    extension, _active = _active, None
    if extension is not None:
        try:
            extension.tell_unloaded()
            extension.close()
        except BaseException:
            # IPython would take it for loaded, and refuse to load it again.
            extension.forget()
            raise


def active() -> Extension:
    """The loaded extension.

    Raises:
        NotLoadedError: there is none.
    """
    if _active is None:
        raise NotLoadedError
    return _active
