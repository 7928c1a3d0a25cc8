"""A kernelspec that starts the stock ipykernel of this environment with the extension."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager, NoSuchKernel
from jupyter_core.paths import jupyter_path

from ipyext import __version__
from ipyext.autoload import EXTENSION
from ipyext.install.changes import Change, InstallError, WriteFile, folders_for, folders_without
from ipyext.install.profile import ipython_dir

MARK = "ipyext"  # in the metadata of a kernelspec that is ours
PROTOCOL = "5.5"  # with supported_features: what kernels speak once the extension is loaded
_NO_WARNING = "PYDEVD_DISABLE_FILE_VALIDATION"

# As jupyter_client has it, but for a dash in front, which looks like an option, and for the length:
# what a folder can be called.
_NAME = re.compile(r"[a-z0-9._][a-z0-9._-]{,254}")


def manager() -> KernelSpecManager:
    """Jupyter's own, with its own folders; by itself it would create IPython's."""
    return KernelSpecManager(kernel_dirs=[*jupyter_path("kernels"), str(ipython_dir() / "kernels")])


def folder_of(name: str, prefix: str | None) -> Path:
    """Where a kernelspec goes: the user's folder, or that of an environment.

    Raises:
        InstallError: no kernelspec can have that name.
    """
    name = name.lower()  # as jupyter_client has it
    if not _NAME.fullmatch(name) or not name.strip("."):
        raise InstallError(
            f"{name[:40]!r} cannot be the name of a kernelspec: it may have up to 255 letters, "
            "digits, and the characters - . _, and does not begin with a dash"
        )
    if prefix is None:
        return Path(manager().user_kernel_dir, name)
    return Path(prefix).absolute() / "share" / "jupyter" / "kernels" / name


def found() -> Iterator[tuple[str, Path, KernelSpec]]:
    """All kernelspecs that Jupyter offers, by name."""
    known = manager()
    for name, folder in sorted(known.find_kernel_specs().items()):
        with contextlib.suppress(NoSuchKernel, OSError, ValueError):  # Jupyter skips it, too
            with _no_warning():
                spec = known.get_kernel_spec(name)
            yield name, Path(folder), spec


@contextlib.contextmanager
def _no_warning() -> Iterator[None]:
    """Jupyter looks into ipykernel for its own kernelspec, and old ones then load the debugger.

    That warns on standard error of Python's frozen modules.
    """
    former = os.environ.get(_NO_WARNING)
    os.environ[_NO_WARNING] = "1"
    try:
        yield
    finally:
        if former is None:
            del os.environ[_NO_WARNING]
        else:
            os.environ[_NO_WARNING] = former


def missing_program(spec: KernelSpec) -> str | None:
    """The program that a kernelspec starts, if it is not there."""
    if not spec.argv or "kernel_provisioner" in spec.metadata:  # it is started somewhere else
        return None
    program = str(spec.argv[0])
    if re.fullmatch(r"python[\d.]*", program):  # jupyter_client takes its own
        return None
    program = program.replace("{resource_dir}", str(spec.resource_dir))
    return None if shutil.which(program) else program


def is_ours(folder: Path) -> bool:
    """Whether `install` has written the kernelspec in that folder."""
    return _mark(folder) is not None


def others(folder: Path) -> tuple[list[Path], bool]:
    """Kernelspecs of the same name elsewhere, and whether Jupyter will find this one first."""
    places = [Path(place) for place in manager().kernel_dirs]
    same = [place / folder.name for place in places if (place / folder.name).is_dir()]
    first = folder.parent in places and (
        not same or same[0] == folder or places.index(folder.parent) < places.index(same[0].parent)
    )
    return [path for path in same if path != folder], first


def install(folder: Path, display_name: str | None) -> list[Change]:
    """The changes that put the kernelspec there; none if it is there as it should be.

    Raises:
        InstallError: somebody else's is there, or this environment has no ipykernel.
    """
    mark = _mark(folder)
    if mark is None and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InstallError(
            f"{folder} is there already and was not written by ipyext. Choose another name "
            "(--kernelspec NAME). Nothing was changed."
        )
    if mark is not None and display_name is None:
        display_name = _read(folder).get("display_name")
    folders = folders_for(folder)
    made = len(folders) if mark is None else int(mark["folders"])
    files = dict(_files(made, display_name or _called(folder.name)))
    before = (_read(folder).get("argv") or [sys.executable])[0]
    note = "" if before == sys.executable else f"it started {before}"
    changes: list[Change] = list(folders)
    for name, content in files.items():
        old = (folder / name).read_bytes() if (folder / name).exists() else None
        if old != content:
            changes.append(WriteFile(folder / name, note if old else "", content, old))
    return changes


def uninstall(folder: Path) -> list[Change]:
    """The changes that remove the kernelspec; none if there is nothing.

    Raises:
        InstallError: it is not ours.
    """
    if not folder.exists():
        return []
    mark = _mark(folder)
    if mark is None:
        raise InstallError(
            f"{folder} was not written by ipyext and is left alone. To remove it all the same: "
            f"jupyter kernelspec remove {folder.name}"
        )
    files = [folder / name for name in mark["files"] if (folder / name).is_file()]
    folders = folders_without(files, folder, int(mark["folders"]))
    return [
        *(WriteFile(file, "", None, file.read_bytes()) for file in files),
        *folders,
        *_handed_on(folder, int(mark["folders"]) - len(folders)),
    ]


def display_name(folder: Path) -> str:
    """What front ends call the kernelspec in that folder."""
    return str(_read(folder).get("display_name", folder.name))


def _called(name: str) -> str:
    return f"Python {sys.version_info[0]} ({'' if name == MARK else 'ipyext, '}{name})"


def _handed_on(folder: Path, folders: int) -> Iterator[Change]:
    """Another kernelspec of ours beside it is the last one in the folders that were made for it."""
    others = [path for path in sorted(folder.parent.iterdir()) if path != folder and is_ours(path)]
    if not folders or not others:
        return
    file = others[0] / "kernel.json"
    spec = _read(others[0])
    spec["metadata"][MARK]["folders"] += folders
    note = f"the folders made for {folder.name} are its own now"
    yield WriteFile(file, note, _written(spec), file.read_bytes())


def _written(spec: dict[str, Any]) -> bytes:
    return json.dumps(spec, indent=1).encode() + b"\n"


def _files(folders: int, display_name: str) -> Iterator[tuple[str, bytes]]:
    """Names and contents; kernel.json comes last, because it makes the folder a kernelspec."""
    try:
        # No folders: then it is what the ipykernel of this environment says about itself.
        stock = KernelSpecManager(kernel_dirs=[]).get_kernel_spec("python3")
    except NoSuchKernel:
        raise InstallError(
            f"{sys.executable} has no ipykernel, so there is nothing to start. Install it there: "
            f"{sys.executable} -m pip install ipykernel"
        ) from None
    logos = sorted(Path(stock.resource_dir).glob("logo-*"))
    for logo in logos:
        yield logo.name, logo.read_bytes()
    arguments = list(stock.argv)
    if platform.python_implementation() == "CPython" and sys.version_info >= (3, 11):
        # As ipykernel 7 does for its own: the debugger can look into the standard library.
        arguments.insert(1, "-Xfrozen_modules=off")
    spec: dict[str, Any] = {
        "argv": [*arguments, "--ext", EXTENSION],
        "display_name": display_name,
        "language": stock.language,
        "metadata": {
            **stock.metadata,
            "debugger": True,
            MARK: {
                "version": __version__,
                "folders": folders,
                "files": [*(logo.name for logo in logos), "kernel.json"],
            },
        },
        "kernel_protocol_version": PROTOCOL,
    }
    yield "kernel.json", _written(spec)


def _read(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / "kernel.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _mark(folder: Path) -> dict[str, Any] | None:
    metadata = _read(folder).get("metadata")
    mark = metadata.get(MARK) if isinstance(metadata, dict) else None
    if not isinstance(mark, dict) or not isinstance(mark.get("folders"), int):
        return None
    files = mark.get("files")
    # People may edit it, and what it names is deleted one day.
    if not isinstance(files, list) or any(Path(str(name)).name != name for name in files):
        return None
    return mark
