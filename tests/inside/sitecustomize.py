"""Imported by the Python of every kernel under test: on a signal it writes down all its stacks.

`KernelProcess.stacks` asks for them when a wait has timed out. Nothing runs here before that, the
kernel goes on afterwards, and programs that its cells start have nothing of it.
"""

from __future__ import annotations

import faulthandler
import os
import signal

_path = os.environ.pop("IPYEXT_TEST_STACKS", None)
if _path is not None:
    _file = open(_path, "w", encoding="utf-8")  # noqa: SIM115  # as long as the process lives
    faulthandler.register(signal.SIGXCPU, _file, all_threads=True)
