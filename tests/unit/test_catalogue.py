"""patches/README.md lists the patches that there are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_the_catalogue_is_up_to_date() -> None:
    found = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "catalogue.py"), "--check"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert found.returncode == 0, found.stderr
