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


def configure() -> None:
    """Have the kernel whose configuration is being read load the extension when it starts.

    Called by ipython_kernel_config.py. What the configuration itself says is neither looked at nor
    changed, so all that it loads is still loaded. Does nothing where no kernel is started.
    """
    from traitlets.config import Application

    app: Any = Application.instance() if Application.initialized() else None
    always = getattr(app, "default_extensions", None)
    # Not a setting, and loaded before those of the settings. A list that is set in one place counts
    # over one of another, and two that are appended to make traitlets append one to itself without
    # end, if one is of InteractiveShellApp and one of IPKernelApp.
    if always is not None and EXTENSION not in always:
        app.default_extensions = [*always, EXTENSION]


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
