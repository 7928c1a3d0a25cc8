"""Kernel processes that tests use one after the other: starting one takes longer than most tests.

A process goes back only from a test that passed, and only if it is as it was: the extension
unloaded, namespace and settings empty, the threads those of a fresh kernel. Otherwise it is
killed. So every test that takes one is a test of the unload of the test before it, too.
"""

from __future__ import annotations

import ast

from tests.wire import KernelProcess, Wire

THREADS = "__import__('threading').enumerate()"
CLEAN = f"""
ip = get_ipython()
if "ipyext" in ip.extension_manager.loaded:
    ip.extension_manager.unload_extension("ipyext")
ip.config.pop("IPyExt", None)  # %config keeps settings for the next load
ip.reset(new_session=True)
get_ipython().user_module.__spec__ = None  # as in a fresh kernel: multiprocessing asks for it
sorted(t.name for t in {THREADS} if t.is_alive())
"""


class Pool:
    """At most one idle process; tests of one worker run one at a time."""

    def __init__(self) -> None:
        self._idle: KernelProcess | None = None
        self._threads: dict[int, list[str]] = {}

    def take(self) -> KernelProcess:
        """A process with a stock kernel."""
        process, self._idle = self._idle, None
        if process is None:
            process = KernelProcess()
            try:
                self._threads[process.process.pid] = self._clean(process.client())
            except BaseException:
                process.close()
                raise
        for client in process.clients:
            client.close()
        process.clients.clear()
        return process

    def give_back(self, process: KernelProcess, passed: bool) -> None:
        """Keep `process` for the next test if that is safe."""
        if passed and process.process.poll() is None and self._idle is None:
            try:
                threads = self._clean(process.client())
            except AssertionError:
                threads = []
            if threads == self._threads[process.process.pid]:
                self._idle = process
                return
        process.close()

    @staticmethod
    def _clean(client: Wire) -> list[str]:
        msg_id = client.send_execute(CLEAN)
        (answer,) = client.wait(msg_id, timeout=10)
        assert answer.result is not None, answer.content
        return list(ast.literal_eval(answer.result))

    def close(self) -> None:
        if self._idle is not None:
            self._idle.close()
