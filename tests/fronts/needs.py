"""Which programs and libraries of others the tests here run, and beside which ipykernel."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from packaging.specifiers import SpecifierSet
from packaging.version import Version

# By name of the distribution: the versions of ipykernel that it works with, according to itself
# or, where `WHY` says so, to us. What is not here for a version is not tested beside it.
NEEDS = {
    "coverage": "",
    "euporie": "",
    "ipympl": "",
    "ipyparallel": "",
    "ipywidgets": "",
    "jupyter_console": "",
    "jupyter-resource-usage": ">=6.9",
    "matplotlib": "",
    "nbclient": "",
    "nbconvert": "",
    "nest-asyncio": "",
    "pandas": "",
    "papermill": "",
    "pexpect": "",
    "pyte": "",
    "PySide6-Essentials": "",
    "qtconsole": "",
    "spyder-kernels": ">=6.29.3,<7",
    "tqdm": "",
}
TOOLS = {"pexpect", "pyte", "PySide6-Essentials"}  # of the tests
WHY = {
    "jupyter-resource-usage": "asks no older kernel",
    "spyder-kernels": "3.1 accepts no ipykernel 7, and older ones speak another protocol",
}


def applies(name: str) -> bool:
    """Whether tests that need the distribution are for the ipykernel that is installed."""
    return Version(version("ipykernel")) in SpecifierSet(NEEDS[name])


def missing() -> list[str]:
    """Distributions that should be installed beside this ipykernel, and are not."""
    found = []
    for name in NEEDS:
        try:
            version(name)
        except PackageNotFoundError:
            if applies(name):
                found.append(name)
    return found
