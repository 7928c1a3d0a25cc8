"""A cell that has failed aborts those behind it: `stop_on_error` of the messaging protocol."""

from __future__ import annotations

import asyncio
import concurrent.futures

from ipyext.host import KernelHost
from ipyext.shells.shell import EndOfAbort, Shell


async def abort_arrived(host: KernelHost, shell: Shell) -> None:
    """Abort the cells that have arrived for `shell`; done when they are known. Its thread.

    What comes in later runs, after the kernel's `stop_on_error_timeout` if that is set.
    """
    shell.aborting = True
    known: concurrent.futures.Future[None] = concurrent.futures.Future()

    def end() -> None:
        shell.put(EndOfAbort())

    def arrived() -> None:
        try:
            host.flush_shell()
            if timeout := host.kernel.stop_on_error_timeout:
                host.shell_channel_loop().call_later(timeout, end)
            else:
                end()
        finally:
            known.set_result(None)

    host.in_shell_channel(arrived)
    await asyncio.wrap_future(known)
