"""Variables as the debugger shows them, without a stop."""

from __future__ import annotations

from typing import Any


class Explorer:
    """Shows the variables of a namespace while nothing is stopped. One thread at a time."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        from _pydevd_bundle import pydevd_frame_utils
        from _pydevd_bundle.pydevd_api import PyDevdAPI
        from _pydevd_bundle.pydevd_suspended_frames import SuspendedFramesManager, _FramesTracker

        class Debugger:
            variable_presentation = PyDevdAPI.VariablePresentation()

        self._manager = SuspendedFramesManager()
        self._debugger = Debugger()  # the tracker holds it weakly
        self._tracker = _FramesTracker(self._manager, self._debugger)
        self._frame = _Frame(namespace)
        self._tracker.track(
            "namespace", pydevd_frame_utils.create_frames_list_from_frame(self._frame)
        )

    def owns(self, reference: int) -> bool:
        """Whether it gave this reference."""
        try:
            self._manager.get_variable(reference)
        except KeyError:
            return False
        return True

    def variables(self, reference: int | None = None) -> list[dict[str, Any]]:
        """The variables behind a reference that it gave; None: the namespace."""
        found = self._manager.get_variable(id(self._frame) if reference is None else reference)
        return [child.get_var_data() for child in found.get_children_variables()]


class _Frame:
    """A namespace that looks like a frame."""

    class _Code:
        co_filename = "<namespace>"
        co_name = "<module>"

    f_code = _Code()
    f_back = None
    f_lineno = 1

    def __init__(self, namespace: dict[str, Any]) -> None:
        self.f_globals = self.f_locals = namespace
