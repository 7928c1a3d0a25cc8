"""The boundary: the only code of ipyext that touches the private parts of other projects.

Its front door is this module. `find_host` checks the versions and finds the kernel, `Host.open`
verifies and applies every change or none, `Host.report` says what is patched and why, `Host.close`
takes it all back. `CHECKED` is the range of versions it was checked with. Nothing of the patched
projects is imported before that check.
"""

from ipyext_patches.errors import (
    NotAKernelError,
    PatchConflictError,
    PatchError,
    UnsupportedTargetError,
)
from ipyext_patches.find import find_host
from ipyext_patches.frames import leave_out, no_collection
from ipyext_patches.host import Host
from ipyext_patches.loops import Living, LoopCalls, call_soon, goes_on, report_callback
from ipyext_patches.spec import Patch, PatchReport
from ipyext_patches.versions import (
    CHECKED,
    DEBUGPY,
    PYTHON,
    CheckedRange,
    Finding,
    findings,
    installed,
)

__all__ = [
    "CHECKED",
    "DEBUGPY",
    "PYTHON",
    "CheckedRange",
    "Finding",
    "Host",
    "Living",
    "LoopCalls",
    "NotAKernelError",
    "Patch",
    "PatchConflictError",
    "PatchError",
    "PatchReport",
    "UnsupportedTargetError",
    "call_soon",
    "find_host",
    "findings",
    "goes_on",
    "installed",
    "leave_out",
    "no_collection",
    "report_callback",
]
