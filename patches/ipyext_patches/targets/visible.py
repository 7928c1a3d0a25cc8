"""Which code people see: the kernel's own is neither shown nor stepped through."""

from __future__ import annotations

import importlib.util
import os
import sys
import sysconfig
from types import FrameType
from typing import Any

from ipyext_patches.cell_files import folder

# Their frames are never shown, and stepping goes through them.
_INTERNAL = (
    "IPython",
    "ipykernel",
    "ipyext",
    "ipyext_patches",
    "tornado",
    "traitlets",
    "jupyter_client",
    "zmq",
    "wrapt",
    "decorator",
    "asyncio",
    "debugpy",
)
_LIBRARY = sysconfig.get_path("stdlib") + os.sep
_WINDOW = "<ipython-input"
_INSTALLED = f"{os.sep}site-packages{os.sep}"
_OURS = ("ipyext", "ipyext_patches")
_KERNELS = ("ipykernel", *_OURS)
_INTERNAL_FILES = ("threading", "contextlib", "runpy", "codeop", "selectors", "queue")


def internal_paths() -> list[str]:
    """Where the code is that a person does not want to see: folders and files."""
    found: list[str] = []
    for name in (*_INTERNAL, *_INTERNAL_FILES):
        module = sys.modules.get(name)
        if module is None:
            continue
        path = getattr(module, "__path__", None)
        file = getattr(module, "__file__", None)
        if path:
            found.extend(os.path.realpath(folder) for folder in path)
        elif file:
            found.append(os.path.realpath(file))
    launcher = importlib.util.find_spec("ipykernel_launcher")  # ran as __main__
    if launcher is not None and launcher.origin:
        found.append(os.path.realpath(launcher.origin))
    return found


def cut_traceback(traceback: Any) -> None:
    """Leave out the debugger's own frames of an exception that was raised while it had stopped."""
    while traceback is not None:
        after = traceback.tb_next
        if after is not None and is_debuggers(after.tb_frame):
            traceback.tb_next = None
            return
        traceback = after


def drop_unbegun(traceback: Any) -> None:
    """Leave out the frames of a traceback that have no line: IPython cannot draw them.

    An interrupt may hit a function that has not begun its first line, from Python 3.11 on.
    """
    while traceback is not None:
        after = traceback.tb_next
        if after is not None and after.tb_lineno is None:
            traceback.tb_next = after.tb_next
        else:
            traceback = after


def used_by_the_kernel(frame: FrameType | None, *, installed: bool = False) -> bool:
    """Whether this is the standard library, at work for the kernel or for the debugger.

    Args:
        installed: the same of libraries that are installed.
    """
    caller = frame
    while caller is not None and (
        _is_library(caller.f_code.co_filename)
        or (installed and _INSTALLED in caller.f_code.co_filename and not _is_internal(caller))
    ):
        caller = caller.f_back
    if caller is None or caller is frame:
        return False
    return _is_internal(caller) or is_debuggers(caller)


def in_interactive_window(frame: FrameType) -> bool:
    """Whether this is code that VS Code's Interactive Window has sent, by the name it gives it."""
    return frame.f_code.co_filename.startswith(_WINDOW)


def in_a_cell(frame: FrameType | None) -> bool:
    """Whether code of a cell, or a thread that people have started, is below on the stack."""
    if frame is not None and (_is_internal(frame) or used_by_the_kernel(frame, installed=True)):
        return False
    prefixes = (folder(), _WINDOW)
    kernels = False
    while frame is not None:
        if frame.f_code.co_filename.startswith(prefixes):
            return True
        kernels = kernels or package(frame) in _KERNELS
        frame = frame.f_back
    return not kernels


def runs_a_cell(frame: FrameType | None) -> bool:
    """Whether IPython is in the middle of a cell here: before its code, after it, or in it."""
    while frame is not None:
        if frame.f_code.co_name == "run_cell_async" and package(frame) == "IPython":
            return True
        frame = frame.f_back
    return False


def is_ours(frame: FrameType) -> bool:
    """Whether this is code of the extension."""
    return package(frame) in _OURS


def works_for_us(frame: FrameType | None) -> bool:
    """Whether this is code of the extension, or a library at work for it."""
    while frame is not None and not is_ours(frame):
        file = frame.f_code.co_filename
        if package(frame) == "IPython" or not (_is_library(file) or _INSTALLED in file):
            return False
        frame = frame.f_back
    return frame is not None


def _is_internal(frame: FrameType) -> bool:
    return package(frame) in _INTERNAL


def package(frame: FrameType) -> str:
    """The top-level package that its code is of."""
    return str(frame.f_globals.get("__name__", "")).split(".")[0]


def _is_library(file: str) -> bool:
    """Whether a file is of the standard library."""
    return file.startswith(("<frozen ", _LIBRARY)) and "site-packages" not in file


def is_debuggers(frame: FrameType) -> bool:
    code = frame.f_code
    names = (code.co_name, getattr(code, "co_qualname", ""), os.path.basename(code.co_filename))
    return code.co_filename == "<stringsource>" or any("pydevd" in name for name in names)
