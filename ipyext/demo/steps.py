"""What the demo shows, in order: each step is data, and a function that does it and checks it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median

from ipyext.demo.kernel import Answer, DemoError, StockKernel

ROUNDS = 20
SLOW = 1.0  # seconds; a median above it is no answer "meanwhile"


@dataclass(frozen=True)
class Findings:
    """What a step found out.

    Attributes:
        lines: for people.
        measures: by name, in seconds (or counts).
        output: what the kernel printed or displayed, as it is.
        details: rows of a table, for programs.
    """

    lines: tuple[str, ...] = ()
    measures: dict[str, float] = field(default_factory=dict)
    output: str = ""
    details: tuple[dict[str, str], ...] = ()


@dataclass
class Stage:
    """What one step leaves for those after it."""

    kernel: StockKernel
    loop: str = ""  # the request that keeps main busy
    child: str = ""  # the id of a child subshell
    ticks: int = 0  # how far the loop had come when it was last seen


@dataclass(frozen=True)
class Step:
    """One thing to show.

    Attributes:
        id: for ``--json``.
        title: what it is, in a few words.
        shows: what one should notice.
        code: what is sent; messages of the control channel are in angle brackets.
        run: does it; raises `DemoError` unless it came out as promised.
    """

    id: str
    title: str
    shows: str
    code: str
    run: Callable[[Stage], Findings]


def check(condition: object, failure: str) -> None:
    """Raise `DemoError` with `failure` unless `condition` holds."""
    if not condition:
        raise DemoError(failure)


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


def main_is_busy(stage: Stage) -> None:
    """Check that main's loop goes on."""
    loop = stage.kernel.answer(stage.loop)
    check(loop.reply is None and loop.state == "busy", "Main's loop has ended; it should go on.")


def latency(stage: Stage, what: str, once: Callable[[], Answer]) -> Findings:
    """The median time to a reply over some rounds, all of them while main loops."""
    times = []
    for _ in range(ROUNDS):
        times.append(once().seconds)
        main_is_busy(stage)
    middle = median(times)
    check(middle < SLOW, f"The median answer took {middle:.1f} s.")
    line = f"{ROUNDS} {what}: median {milliseconds(middle)}, longest {milliseconds(max(times))}"
    return Findings((line,), {"median": middle, "longest": max(times), "rounds": ROUNDS})


# -- the steps -------------------------------------------------------------------------------------

VERSIONS = """\
import sys, IPython, ipykernel, zmq
print("Python", sys.version.split()[0])
print("ipykernel", ipykernel.__version__)
print("IPython", IPython.__version__)
print("pyzmq", zmq.__version__)"""


def versions(stage: Stage) -> Findings:
    text = stage.kernel.execute(VERSIONS).text
    check("ipykernel" in text, f"The cell printed {text!r}.")
    loaded = stage.kernel.execute("sys.modules.get('ipyext.extension') is not None").result
    check(loaded == "False", "ipyext is in the kernel already, so it is not a stock one.")
    return Findings(output=text)


REMEMBER = """\
import sys
get_ipython().find_line_magic("load_ext")  # IPython 9 registers its magics on first use

def state_of_the_kernel():
    shell = get_ipython()
    kernel = shell.kernel
    tables = {cls.__name__: vars(cls) for cls in type(kernel).__mro__}
    tables |= {"%": shell.magics_manager.magics["line"], "%%": shell.magics_manager.magics["cell"]}
    tables |= {"control": kernel.control_handlers, "shell": kernel.shell_handlers}
    # Not threading.enumerate(), in which debugpy, once imported, hides the kernel's own.
    tables["thread"] = dict.fromkeys(map(str, sys._current_frames()), True)
    return {(t, name): value for t, table in tables.items() for name, value in table.items()}

before = state_of_the_kernel()"""


def load(stage: Stage) -> Findings:
    kernel = stage.kernel
    kernel.execute(REMEMBER)
    answer = kernel.execute("%load_ext ipyext")
    features = kernel.ask("kernel_info_request").content.get("supported_features", [])
    check("kernel subshells" in features, "The kernel does not announce subshells.")
    count = int(kernel.execute("import ipyext; len(ipyext.patches())").result)
    check(count > 0, "Nothing was patched.")
    return Findings(
        (
            f"loaded in {milliseconds(answer.seconds)}; the kernel now announces subshells",
            f"{count} documented changes are in force (%subshell patches lists them)",
        ),
        {"load": answer.seconds, "changes": count},
    )


BUSY = """\
ticks = 0
while True:
    ticks += 1"""


def busy(stage: Stage) -> Findings:
    kernel = stage.kernel
    stage.loop = kernel.send_code(BUSY)
    kernel.until(lambda: kernel.answer(stage.loop).state == "busy", "The loop did not begin")
    second = kernel.send_code("'main is free'")
    seen_until = time.monotonic() + 0.3
    while time.monotonic() < seen_until:
        check(not kernel.answer(second).complete, "A second cell was answered, so main is free.")
        main_is_busy(stage)
    return Findings(("main loops; an ordinary second cell waits, as it always did",))


def control(stage: Stage) -> Findings:
    kernel = stage.kernel
    return latency(
        stage, "requests on the control channel", lambda: kernel.ask("kernel_info_request")
    )


def front_end(stage: Stage) -> Findings:
    kernel = stage.kernel
    info = kernel.ask("kernel_info_request", channel="shell")
    content = {"code": "tick", "cursor_pos": 4}
    found = [kernel.ask("complete_request", content, channel="shell") for _ in range(2)]
    for answer in found:
        check("ticks" in answer.content.get("matches", []), f"'tick' became {answer.content}.")
    first, second = (answer.seconds for answer in found)
    main_is_busy(stage)
    return Findings(
        (
            f"kernel_info in {milliseconds(info.seconds)}: a front end can connect",
            f"'tick' is completed to 'ticks' in {milliseconds(second)}",
            f"the first completion, which loads the completer, took {milliseconds(first)}",
        ),
        {"kernel_info": info.seconds, "first_complete": first, "complete": second},
    )


def child(stage: Stage) -> Findings:
    kernel = stage.kernel
    created = kernel.ask("create_subshell_request")
    stage.child = str(created.content.get("subshell_id", ""))
    check(stage.child, f"No subshell was created: {created.content}")

    seen: list[int] = []

    def once() -> Answer:
        answer = kernel.execute("ticks", stage.child)
        seen.append(int(answer.result))
        return answer

    findings = latency(stage, "cells in the child", once)
    check(seen == sorted(seen) and seen[0] < seen[-1], f"The loop stands still: {seen}")
    stage.ticks = seen[-1]
    return Findings(
        (
            f"created in {milliseconds(created.seconds)}",
            *findings.lines,
            f"meanwhile main counted from {seen[0]:,} to {seen[-1]:,}",
        ),
        {"create": created.seconds, **findings.measures},
    )


CELL_MAGIC = """\
%%subshell look
percent = ticks * 100 / 1e9
print(f"{percent:.3f} % of a billion")"""


def cell_magic(stage: Stage) -> Findings:
    answer = stage.kernel.execute(CELL_MAGIC)
    check("of a billion" in answer.text, f"The cell printed {answer.text!r}.")
    main_is_busy(stage)
    line = f"answered in {milliseconds(answer.seconds)}"
    return Findings((line,), {"answer": answer.seconds}, answer.text)


def table(stage: Stage) -> Findings:
    answer = stage.kernel.execute("%subshell")
    rows = answer.result
    check("main" in rows and "busy" in rows, "The table does not show main as busy.")
    check(stage.child in rows and "look" in rows, "The table does not show the child subshells.")
    main_is_busy(stage)
    line = f"answered in {milliseconds(answer.seconds)}"
    return Findings((line,), {"answer": answer.seconds}, rows)


LOOP = """\
print("the child loops", flush=True)
while True:
    pass"""


def start_loop_in_child(stage: Stage) -> str:
    kernel = stage.kernel
    request = kernel.send_code(LOOP, stage.child)
    answer = kernel.answer(request)
    kernel.until(lambda: answer.text or answer.complete, "The child's loop did not begin")
    check(not answer.complete, f"The child's loop ended at once: {answer.content}")
    return request


def interrupt_child(stage: Stage) -> Findings:
    kernel = stage.kernel
    loop = start_loop_in_child(stage)
    start = time.perf_counter()
    asked = kernel.ask("interrupt_request", {"subshell_id": stage.child})
    check(asked.content.get("status") == "ok", f"The interrupt was refused: {asked.content}")
    stopped = kernel.wait(loop, "the interrupted cell")
    seconds = time.perf_counter() - start
    check(
        stopped.content.get("ename") == "KeyboardInterrupt",
        f"The child's cell ended with {stopped.content}.",
    )
    main_is_busy(stage)
    return Findings(
        (
            f"interrupt answered in {milliseconds(asked.seconds)}",
            f"its traceback was there after {milliseconds(seconds)}; main loops on",
        ),
        {"answer": asked.seconds, "interrupt": seconds},
    )


def delete_busy(stage: Stage) -> Findings:
    kernel = stage.kernel
    running = start_loop_in_child(stage)
    queued = kernel.send_code("'never reached'", stage.child)
    deleted = kernel.ask("delete_subshell_request", {"subshell_id": stage.child})
    check(deleted.content.get("status") == "ok", f"The delete was refused: {deleted.content}")
    for name, request in (("running", running), ("queued", queued)):
        content = kernel.wait(request, f"the {name} cell").content
        check(content.get("status") == "error", f"The {name} cell ended with {content}.")
    left = kernel.ask("list_subshell_request").content.get("subshell_id", [])
    check(stage.child not in left, "The deleted subshell is still listed.")
    main_is_busy(stage)
    return Findings(
        (
            f"deleted in {milliseconds(deleted.seconds)}, without waiting for its endless loop",
            "the running and the queued cell each got one error reply; nobody hangs",
        ),
        {"delete": deleted.seconds},
    )


def debugger(stage: Stage) -> Findings:
    kernel = stage.kernel
    start = time.perf_counter()
    kernel.debug("initialize", clientID="ipyext-demo", adapterID="debugpy", pathFormat="path")
    kernel.debug("attach")
    started = time.perf_counter() - start
    threads = kernel.debug("threads")[0]["threads"]
    main = next((one["id"] for one in threads if one["name"] == "main"), None)
    check(main is not None, f"The debugger does not show main: {threads}")
    start = time.perf_counter()
    kernel.debug("pause", threadId=main)
    stopped = kernel.debug_event("stopped")
    paused = time.perf_counter() - start
    check(stopped.get("threadId") == main, f"Something else has stopped: {stopped}")
    frame = kernel.debug("stackTrace", threadId=main)[0]["stackFrames"][0]
    lines = BUSY.splitlines()
    check(0 < frame["line"] <= len(lines), f"Main has stopped in no line of the cell: {frame}")
    found, asked = kernel.debug("evaluate", expression="ticks", frameId=frame["id"])
    look = int(found["result"])
    child = [int(kernel.execute("ticks", stage.child).result) for _ in range(2)]
    check(child == [look, look], f"Main has not stopped: ticks is {look}, then {child}.")
    kernel.debug("continue", threadId=main)
    kernel.debug_event("continued")
    kernel.until(
        lambda: int(kernel.execute("ticks", stage.child).result) > look, "Main did not go on"
    )
    kernel.debug("disconnect")
    main_is_busy(stage)
    text = lines[frame["line"] - 1].strip()
    return Findings(
        (
            f"started in {milliseconds(started)}, with the import of debugpy",
            f"main stopped within {milliseconds(paused)}, in line {frame['line']}: {text}",
            f"ticks is {look:,} there (asked in {milliseconds(asked)}); the child still answers",
            "main goes on, and the debugger is off again",
        ),
        {"start": started, "pause": paused, "evaluate": asked},
    )


def interrupt_main(stage: Stage) -> Findings:
    kernel = stage.kernel
    start = time.perf_counter()
    asked = kernel.ask("interrupt_request")
    check(asked.content.get("status") == "ok", f"The interrupt was refused: {asked.content}")
    stopped = kernel.wait(stage.loop, "the interrupted loop")
    seconds = time.perf_counter() - start
    check(
        stopped.content.get("ename") == "KeyboardInterrupt",
        f"Main's cell ended with {stopped.content}.",
    )
    ticks = int(kernel.execute("ticks").result)
    check(ticks >= stage.ticks, "Main has lost its variables.")
    line = f"its traceback was there after {milliseconds(seconds)}; it had counted to {ticks:,}"
    return Findings((line,), {"interrupt": seconds, "ticks": ticks})


COMPARE = """\
after = state_of_the_kernel()
print([name for name in before.keys() | after.keys() if before.get(name) is not after.get(name)])"""


def unload(stage: Stage) -> Findings:
    kernel = stage.kernel
    answer = kernel.execute("%unload_ext ipyext")
    kernel.until(
        lambda: kernel.execute(COMPARE).text.strip() == "[]",
        "The kernel is not what it was before: " + kernel.execute(COMPARE).text,
    )
    return Findings(
        (
            f"unloaded in {milliseconds(answer.seconds)}",
            "every method, handler and magic is the very object that it was before; no thread left",
        ),
        {"unload": answer.seconds},
    )


def stock_again(stage: Stage) -> Findings:
    kernel = stage.kernel
    answer = kernel.execute("6 * 7")
    check(answer.result == "42", f"6 * 7 came to {answer.result!r}.")
    ticks = kernel.execute("ticks").result
    check(int(ticks) >= stage.ticks, "The variables are gone.")
    kernel.send("shutdown_request", {"restart": False}, channel="control")
    kernel.until(lambda: not kernel.alive, "The process did not end when it was asked to")
    return Findings(
        (
            f"6 * 7 is {answer.result}, the variables are still there",
            "asked to shut down, the process ended by itself",
        )
    )


STEPS = (
    Step(
        "versions",
        "A stock kernel",
        "A kernel process of the installed ipykernel; nothing of ipyext is in it.",
        VERSIONS,
        versions,
    ),
    Step(
        "load",
        "Load the extension",
        "One line in a running kernel. No other kernel is installed, nothing is restarted.",
        "%load_ext ipyext",
        load,
    ),
    Step(
        "busy",
        "Keep main busy",
        "A pure Python loop without an end, which never gives the interpreter away by itself.",
        BUSY,
        busy,
    ),
    Step(
        "control",
        "Control requests meanwhile",
        "Tools, the stop button and the debugger use this channel.",
        "<control: kernel_info_request>",
        control,
    ),
    Step(
        "front-end",
        "Connecting and completing meanwhile",
        "Shell requests that only look are answered without main.",
        "<shell: kernel_info_request>, <shell: complete_request 'tick'>",
        front_end,
    ),
    Step(
        "child",
        "A child subshell meanwhile",
        "Cells in another thread of the same process, with the same variables (JEP 91).",
        "<control: create_subshell_request>\nticks",
        child,
    ),
    Step(
        "cell-magic",
        "A %%subshell cell meanwhile",
        "The same from any front end, also from one that has never heard of subshells.",
        CELL_MAGIC,
        cell_magic,
    ),
    Step(
        "table",
        "The table of all shells",
        "A cell of %subshell lines is answered at once, also while main is busy.",
        "%subshell",
        table,
    ),
    Step(
        "debugger",
        "Debug main meanwhile",
        "Switched on while the loop runs, and off again: pause, look at a variable, go on.",
        "<control: debug_request initialize, attach, pause, stackTrace, evaluate, continue, "
        "disconnect>",
        debugger,
    ),
    Step(
        "interrupt-child",
        "Stop only the child",
        "An interrupt with a subshell_id reaches that subshell and no other.",
        f"{LOOP}\n<control: interrupt_request subshell_id=...>",
        interrupt_child,
    ),
    Step(
        "delete-busy",
        "Delete a child that is busy",
        "A delete does not wait for code, and every cell gets its answer.",
        f"{LOOP}\n<control: delete_subshell_request subshell_id=...>",
        delete_busy,
    ),
    Step(
        "interrupt-main",
        "Stop main",
        "The ordinary stop button.",
        "<control: interrupt_request>",
        interrupt_main,
    ),
    Step(
        "unload",
        "Unload the extension",
        "Compared by identity with what was there before: methods, handlers, magics, threads.",
        "%unload_ext ipyext",
        unload,
    ),
    Step(
        "stock-again",
        "A stock kernel again",
        "It goes on with all its variables, and ends when asked to.",
        "6 * 7\nticks\n<control: shutdown_request>",
        stock_again,
    ),
)
