"""What ipyext logs goes where the kernel logs, not into somebody's notebook."""

from __future__ import annotations

import logging


class KernelLog(logging.Handler):
    """Hands the records of the logger ``ipyext`` to the kernel's own logger, while attached.

    Without a handler, Python writes warnings to `sys.stderr`, which a kernel publishes as output
    of whatever cell runs.
    """

    def __init__(self, log: logging.Logger | logging.LoggerAdapter[logging.Logger]) -> None:
        super().__init__()
        self._log = log.logger if isinstance(log, logging.LoggerAdapter) else log
        self._ours = logging.getLogger("ipyext")
        self._propagated = True

    def emit(self, record: logging.LogRecord) -> None:
        if self._log.isEnabledFor(record.levelno):
            self._log.handle(record)

    def attach(self) -> None:
        """From here on records go to the kernel's log, and nowhere else."""
        self._propagated, self._ours.propagate = self._ours.propagate, False
        self._ours.addHandler(self)

    def detach(self) -> None:
        """Undo `attach`."""
        self._ours.removeHandler(self)
        self._ours.propagate = self._propagated
