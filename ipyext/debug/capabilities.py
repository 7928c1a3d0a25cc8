"""What clients may ask of the router."""

from __future__ import annotations

from typing import Any

# Exception breakpoints: what clients call them, and debugpy's mode for each.
FILTERS = {"uncaught": "unhandled", "userUnhandled": "userUnhandled", "raised": "always"}
# The body of its initialize response (DAP Capabilities).
CAPABILITIES: dict[str, Any] = {
    "supportsConfigurationDoneRequest": True,
    "supportsFunctionBreakpoints": True,
    "supportsConditionalBreakpoints": True,
    "supportsHitConditionalBreakpoints": True,
    "supportsEvaluateForHovers": True,
    "exceptionBreakpointFilters": [
        {"filter": "raised", "label": "Raised Exceptions", "default": False},
        {"filter": "uncaught", "label": "Uncaught Exceptions", "default": True},
        {"filter": "userUnhandled", "label": "User Uncaught Exceptions", "default": False},
    ],
    "supportsStepBack": False,
    "supportsSetVariable": True,
    "supportsRestartFrame": False,
    "supportsGotoTargetsRequest": True,
    "supportsStepInTargetsRequest": True,
    "supportsCompletionsRequest": True,
    "completionTriggerCharacters": [],
    "supportsModulesRequest": True,
    "additionalModuleColumns": [],
    "supportedChecksumAlgorithms": [],
    "supportsRestartRequest": False,
    "supportsExceptionOptions": True,
    "supportsValueFormattingOptions": True,
    "supportsExceptionInfoRequest": True,
    "supportTerminateDebuggee": False,
    "supportsDelayedStackTraceLoading": True,
    "supportsLoadedSourcesRequest": False,
    "supportsLogPoints": True,
    "supportsTerminateThreadsRequest": False,
    "supportsSetExpression": True,
    "supportsTerminateRequest": False,
    "supportsDataBreakpoints": False,
    "supportsReadMemoryRequest": False,
    "supportsDisassembleRequest": False,
    "supportsClipboardContext": True,
    "supportsSingleThreadExecutionRequests": True,
}
