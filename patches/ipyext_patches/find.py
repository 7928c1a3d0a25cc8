"""The kernel that an InteractiveShell belongs to, if it is one that ipyext fits."""

from __future__ import annotations

import sys
from typing import Any

from ipyext_patches import versions
from ipyext_patches.errors import NotAKernelError, UnsupportedTargetError
from ipyext_patches.host import Host


def find_host(main: Any) -> Host:
    """The kernel that `main` belongs to. Changes nothing.

    Raises:
        NotAKernelError: plain IPython, or a kernel that is not ipykernel's.
        UnsupportedTargetError: a version outside the checked range.
    """
    kernel = getattr(main, "kernel", None)
    if kernel is None:
        raise NotAKernelError(
            "ipyext extends Jupyter kernels and there is none here: this is plain IPython. "
            "Load it in a notebook, a console (jupyter console) or any other client of ipykernel."
        )
    found = versions.check()
    if "ipykernel.kernelbase" not in sys.modules or not isinstance(
        kernel, sys.modules["ipykernel.kernelbase"].Kernel
    ):
        raise NotAKernelError(
            f"ipyext extends ipykernel, but this kernel is {type(kernel).__module__}."
            f"{type(kernel).__name__}. Use a kernel of the ipykernel package."
        )
    from zmq.eventloop.zmqstream import ZMQStream

    if not isinstance(kernel.control_stream, ZMQStream) or kernel.stdin_socket is None:
        raise UnsupportedTargetError(
            "the kernel's transport",
            "not that of a kernel with front ends (an in-process or embedded kernel, or an engine "
            "of ipyparallel)",
            "a kernel in a process of its own",
            "Start the kernel the usual way: as a notebook kernel or with jupyter console.",
        )
    return Host(main, found)
