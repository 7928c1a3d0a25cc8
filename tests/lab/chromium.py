"""The browser: the system's Chromium, without a window, which talks to nobody but our server."""

from __future__ import annotations

import os
import shutil

CHROMIUM = os.environ.get("IPYEXT_CHROMIUM") or shutil.which("chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
