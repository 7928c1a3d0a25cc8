"""Pages that are written by programs are up to date."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("program", ["catalogue", "generated", "states"])
def test_written_pages_are_up_to_date(program: str) -> None:
    found = subprocess.run(
        [sys.executable, str(ROOT / "docs" / f"{program}.py"), "--check"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert found.returncode == 0, found.stderr


def test_every_state_is_drawn() -> None:
    code = "import states; print(*map(states.svg, states.MACHINES.values()))"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT / "docs", timeout=60
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.count("<svg") == 2
