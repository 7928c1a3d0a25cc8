"""Homes with and without the extension; an error, not a skip, if a program is missing."""

from __future__ import annotations

import pytest

from tests.fronts.home import Home
from tests.fronts.needs import applies, missing

if MISSING := missing():
    raise pytest.UsageError(
        f"tests/fronts runs programs of others and misses {', '.join(MISSING)}: "
        "pip install --group fronts (with ipykernel 6: and spyder-kernels), or .ci/run fronts"
    )

# Not for this version of ipykernel: `needs.NEEDS` has the ranges, the documentation lists them.
collect_ignore = [
    page
    for page, name in {
        "test_console.py": "jupyter_console",
        "test_spyder.py": "spyder-kernels",
        "test_usage.py": "jupyter-resource-usage",
    }.items()
    if not applies(name)
]


@pytest.fixture(scope="session")
def stock_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home in which kernels are stock kernels."""
    return Home(tmp_path_factory.mktemp("stock") / "home", installed=False)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home in which kernels load the extension when they start."""
    return Home(tmp_path_factory.mktemp("installed") / "home", installed=True)
