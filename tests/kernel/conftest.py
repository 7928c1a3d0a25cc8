"""What cannot be tested beside some version of ipykernel."""

from __future__ import annotations

from importlib.metadata import version

from packaging.version import Version

# The last jupyter_console that accepts ipykernel 5 (6.4) does not run with jupyter_client 8.
CONSOLE = Version(version("jupyter_console"))
collect_ignore = ["test_console.py"] if Version("6.5") > CONSOLE else []
