"""Loads the extension in a kernel that starts: what `ipyext install` puts into kernels.

A module of its own, because IPython would take ``ipyext`` for loaded where we are told not to load
it, and refuse a ``%load_ext ipyext`` later on.
"""

from __future__ import annotations

import os
from typing import Any

SWITCH = "IPYEXT_DISABLE"
EXTENSION = "ipyext.autoload"


def switched_off() -> bool:
    """Whether the environment says that kernels are not to load the extension by themselves."""
    return os.environ.get(SWITCH, "").strip().lower() not in ("", "0", "false", "no", "off")


def configure(config: Any) -> None:
    """Add the extension to the configuration of a kernel; called by ipython_kernel_config.py.

    Whatever else the configuration loads is still loaded, wherever it says so.
    """
    # IPKernelApp's extensions count over InteractiveShellApp's, and are joined with them if they
    # are appended to: the other way round, a list of theirs would hide ours.
    section = config.IPKernelApp
    if isinstance(section.extensions, tuple):  # which is a valid setting
        section.extensions = list(section.extensions)
    section.extensions.append(EXTENSION)


def load_ipython_extension(ipython: Any) -> None:
    """Extend the kernel that `ipython` belongs to, unless the environment has switched that off.

    Never raises: a kernel that we do not fit starts as a stock kernel, and its log says why. In
    plain IPython it does nothing.
    """
    kernel = getattr(ipython, "kernel", None)
    if kernel is None or switched_off():
        return
    try:
        ipython.extension_manager.load_extension("ipyext")
    except Exception as error:
        kernel.log.warning("ipyext is installed to load in every kernel. %s", error)
