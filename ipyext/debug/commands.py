"""Which requests the debug router answers, hands on or refuses. Pure."""

from __future__ import annotations

# Answered without a session: a front end asks them of every kernel.
ANYTIME = frozenset(
    {
        "attach",
        "debugInfo",
        "debugpySystemInfo",
        "disconnect",
        "dumpCell",
        "initialize",
        "inspectVariables",
        "modules",
        "richInspectVariables",
        "source",
    }
)
# Answered by the router; `pause` and `variables` may be handed on to debugpy there.
LOCAL = frozenset(
    {
        "copyToGlobals",
        "debugpySystemInfo",
        "dumpCell",
        "inspectVariables",
        "modules",
        "pause",
        "richInspectVariables",
        "threads",
        "variables",
    }
)
FORWARDED = frozenset(
    {
        "completions",
        "scopes",
        "setExpression",
        "setVariable",
        "stepInTargets",
    }
)
OF_STOPPED = frozenset({"exceptionInfo", "next", "stackTrace", "stepIn", "stepOut"})
REFUSED = {
    "launch": "The kernel runs already: use an attach configuration.",
    "setDebuggerProperty": "Its settings are those of all clients, so none may set them.",
    "terminate": "The debugger does not end the kernel; use the front end to shut it down.",
}
