"""The self-test: steps of the demo, and those that people do not need to see."""

from __future__ import annotations

import json
import time

from ipyext.demo import steps as shown
from ipyext.demo.steps import BUSY, Findings, Stage, Step, check, main_is_busy, milliseconds

PATCHES = """\
import json, ipyext
print(json.dumps([
    {"id": one.patch.id, "place": one.place, "state": one.state, "target": one.patch.target,
     "what": one.patch.what, "why": one.patch.why, "upstream": one.patch.upstream}
    for one in ipyext.patches()
]))"""


def patches(stage: Stage) -> Findings:
    """What the extension has changed in a kernel of this environment."""
    rows: list[dict[str, str]] = json.loads(stage.kernel.execute(PATCHES).text)
    applied = [row for row in rows if row["state"] == "applied"]
    check(rows and len(applied) == len(rows), f"Not all changes are in force: {rows}")
    places: dict[str, int] = {}
    for row in rows:
        places[row["id"]] = places.get(row["id"], 0) + 1
    reasons = {row["id"]: f"{row['what']} Why: {row['why']}" for row in rows}
    return Findings(
        (
            *(
                f"{name}{f' ({count} places)' * (count > 1)}: {reasons[name]}"
                for name, count in places.items()
            ),
            f"{len(rows)} changes in force, of {len(places)} kinds",
        ),
        {"changes": len(rows), "kinds": len(places)},
        details=tuple(rows),
    )


# The line of BUSY that every round of the loop comes to.
LINE = BUSY.splitlines().index("    ticks += 1") + 1


def debugger(stage: Stage) -> Findings:
    """Start it while main loops, stop main at a breakpoint, look, let it go on, and leave."""
    kernel = stage.kernel
    start = time.perf_counter()
    kernel.debug("initialize", clientID="ipyext-doctor", adapterID="debugpy", pathFormat="path")
    kernel.debug("attach")
    started = time.perf_counter()
    source = {"path": kernel.debug("dumpCell", code=BUSY)[0]["sourcePath"]}
    kernel.debug("setBreakpoints", source=source, breakpoints=[{"line": LINE}])
    stopped = kernel.debug_event("stopped")
    hit = time.perf_counter()
    thread = stopped["threadId"]
    frame = kernel.debug("stackTrace", threadId=thread)[0]["stackFrames"][0]
    check(
        (stopped.get("reason"), frame.get("line")) == ("breakpoint", LINE),
        f"It stopped for {stopped.get('reason')} at line {frame.get('line')}.",
    )
    seen = kernel.debug("evaluate", expression="ticks", frameId=frame["id"])[0]["result"]
    still = [kernel.execute("ticks", stage.child).result for _ in range(2)]
    check(still == [seen] * 2, f"Main is stopped, but its variable was {seen} and is {still}.")
    kernel.debug("setBreakpoints", source=source, breakpoints=[])
    resumed = time.perf_counter()
    kernel.debug("continue", threadId=thread)
    kernel.until(
        lambda: kernel.execute("ticks", stage.child).result != seen, "Main did not go on counting"
    )
    went_on = time.perf_counter() - resumed
    kernel.debug("disconnect")
    check(
        not kernel.debug("debugInfo")[0].get("isStarted"),
        "The debugger is still on after its only client has left.",
    )
    main_is_busy(stage)
    return Findings(
        (
            f"on after {milliseconds(started - start)}, while main loops",
            f"breakpoint hit after {milliseconds(hit - started)}; the child answered beside it",
            f"main counted on after {milliseconds(went_on)}; nobody debugs any more",
        ),
        {"start": started - start, "hit": hit - started, "continue": went_on},
    )


_SHOWN = {step.id: step for step in shown.STEPS}

STEPS = (
    _SHOWN["versions"],
    _SHOWN["load"],
    Step(
        "patches",
        "What is changed in this kernel, and why",
        "All of it is taken back when the extension is unloaded.",
        "%subshell patches",
        patches,
    ),
    _SHOWN["busy"],
    _SHOWN["control"],
    _SHOWN["child"],
    _SHOWN["interrupt-child"],
    Step(
        "debugger",
        "Debug main while it loops",
        "Started while the loop runs, a breakpoint in it, continue, and off again.",
        "<control: debug_request initialize, attach, dumpCell, setBreakpoints>\n"
        "<control: debug_request stackTrace, evaluate, continue, disconnect>",
        debugger,
    ),
    _SHOWN["interrupt-main"],
    _SHOWN["unload"],
    _SHOWN["stock-again"],
)
