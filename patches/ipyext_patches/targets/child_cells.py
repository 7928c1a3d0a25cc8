"""IPython: running a cell in the shell of a child subshell, and what is answered and shown."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from IPython.core import interactiveshell

from ipyext_patches.targets import afterwards

Drive = Callable[..., Awaitable[Any]]


async def run_cell(
    shell: Any, code: str, *, drive: Drive, body: str | None = None, **options: Any
) -> Any:
    """Run one cell in a child's shell and return IPython's ExecutionResult.

    Where `body` is given it is run instead of `code`, which history and the debugger still know
    the cell by; empty lines at its start keep the line numbers. Events are triggered as
    `InteractiveShell.run_cell` does. Raises nothing that the cell raised.
    """
    afterwards.prepare(shell._context(), shell)
    shell._last_traceback = None
    shell._last_traceback_during_displayhook = False
    failure = None
    source = code if body is None else body.lstrip("\n")
    try:
        transformed = shell.transform_cell(source)
        if body is not None:
            transformed = "\n" * (len(body) - len(source)) + transformed
    except Exception:
        transformed, failure = code, sys.exc_info()
    options = accepted(shell, options)
    result = None
    try:
        awaits = shell.should_run_async(
            code, transformed_cell=transformed, preprocessing_exc_tuple=failure
        )
        if awaits and not _runs_on_asyncio(shell):
            # %autoawait trio and the like: their runner blocks this thread, as on main.
            async def run() -> Any:
                return shell.loop_runner(cell())

        else:

            async def run() -> Any:
                return await cell()

        def cell() -> Coroutine[Any, Any, Any]:
            coroutine: Coroutine[Any, Any, Any] = shell.run_cell_async(
                code, transformed_cell=transformed, preprocessing_exc_tuple=failure, **options
            )
            return coroutine

        result = await drive(run(), awaits=awaits)
    finally:
        shell.events.trigger("post_execute")
        if not options.get("silent"):
            shell.events.trigger("post_run_cell", result)
    return result


def _runs_on_asyncio(shell: Any) -> bool:
    return bool(shell.loop_runner is interactiveshell._asyncio_runner)  # type: ignore[attr-defined]


@functools.lru_cache(maxsize=8)
def _parameters(function: Any) -> frozenset[str]:
    return frozenset(inspect.signature(function).parameters)


def accepted(shell: Any, options: dict[str, Any]) -> dict[str, Any]:
    """Those of `options` that this IPython's `run_cell_async` knows (cell_id, cell_meta)."""
    known = _parameters(type(shell).run_cell_async)
    return {name: value for name, value in options.items() if name in known}


def reply_content(shell: Any, result: Any, user_expressions: dict[str, str]) -> dict[str, Any]:
    """The content of an execute_reply for `result`, as `IPythonKernel.do_execute` builds it."""
    error = result.error_before_exec or result.error_in_exec
    if error is None and shell._last_traceback_during_displayhook:
        error = shell._last_exc_info[1]  # a repr failed: ipykernel 7.3 reports that as an error
    content: dict[str, Any] = {"status": "ok", "execution_count": shell.execution_count - 1}
    if error is not None:
        content.update(
            status="error",
            ename=type(error).__name__,
            evalue=str(error),
            traceback=shell._last_traceback or [],
            user_expressions={},
        )
    else:
        content["user_expressions"] = shell.user_expressions(user_expressions or {})
    content["payload"] = shell.payload_manager.read_payload()
    shell.payload_manager.clear_payload()
    return content


def show_error(shell: Any, error: BaseException) -> str:
    """Publish `error` under the shell's current cell, and return what it says.

    Raises nothing: of an error whose text cannot be had, or whose traceback cannot be sent (lone
    surrogates), what can is shown.
    """
    kind = type(error)
    try:
        says = str(error)
    except Exception:
        says = "<exception str() failed>"  # as Python's tracebacks have it
    says = says.encode(errors="backslashreplace").decode()
    try:
        shell.showtraceback((kind, error, error.__traceback__))
    except Exception:
        shell._showtraceback(kind, says, [f"{kind.__name__}: {says}"])
    return says
