"""Launch configurations: what to paste into an editor so that it attaches to this kernel. Pure.

Sources: the attach settings of debugpy (https://github.com/microsoft/debugpy/wiki),
`:help dap-adapter` of nvim-dap, `dape-configs` of dape, dap-python.el of dap-mode, and PyCharm's
page "Attach to DAP" (from 2025.3 on).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

NAME = "Jupyter kernel (ipyext)"


class PathMapping(NamedTuple):
    """A directory by the names that it has on both sides. `local` is the editor's."""

    local: str
    remote: str


def vs_code(host: str, port: int, mappings: Iterable[PathMapping] = ()) -> str:
    """An entry for ``"configurations"`` in ``.vscode/launch.json``.

    Args:
        host: the address that the editor connects to: no wildcard such as ``0.0.0.0``.
        port: the port there.
        mappings: what has other paths at the editor. Its variables, such as
            ``${workspaceFolder}``, are left as they are.
    """
    found: dict[str, Any] = {
        "name": NAME,
        "type": "debugpy",
        "request": "attach",
        "connect": {"host": host, "port": port},
        "justMyCode": False,
    }
    pairs = [{"localRoot": local, "remoteRoot": remote} for local, remote in mappings]
    if pairs:
        found["pathMappings"] = pairs
    return json.dumps(found, indent=2, ensure_ascii=False)


def nvim_dap(host: str, port: int, mappings: Iterable[PathMapping] = ()) -> str:
    """Lua for nvim-dap. Arguments as for `vs_code`.

    The adapter has a name of its own, so that the one of nvim-dap-python stays.
    """
    lines = [
        'local dap = require("dap")',
        "dap.adapters.ipyext = {",
        '  type = "server",',
        f"  host = {_lua(host)},",
        f"  port = {port},",
        '  options = { source_filetype = "python" },',
        "}",
        "dap.configurations.python = dap.configurations.python or {}",
        "table.insert(dap.configurations.python, {",
        '  type = "ipyext",',
        '  request = "attach",',
        f"  name = {_lua(NAME)},",
        "  justMyCode = false,",
    ]
    pairs = [
        f"    {{ localRoot = {_lua(local)}, remoteRoot = {_lua(remote)} }},"
        for local, remote in mappings
    ]
    if pairs:
        lines += ["  pathMappings = {", *pairs, "  },"]
    return "\n".join([*lines, "})"])


def pycharm(host: str, port: int, mappings: Iterable[PathMapping] = ()) -> str:
    """What to fill in in PyCharm, which has no text to paste. Arguments as for `vs_code`.

    PyCharm maps the project and nothing else, so only the first mapping is used.
    """
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [
        "Run | Edit Configurations | Add New Configuration | Attach to DAP",
        f"  Name: {NAME}",
        f"  Remote address: {where}",
    ]
    first = next(iter(mappings), None)
    if first is not None:
        lines.append(f"  Remote project path: {first.remote}")
    return "\n".join(lines)


def dape(host: str, port: int, mappings: Iterable[PathMapping] = ()) -> str:
    """Emacs Lisp for dape. Arguments as for `vs_code`."""
    lines = [
        "(add-to-list 'dape-configs",
        "             '(ipyext",
        "               modes (python-mode python-ts-mode)",
        f"               host {_lisp(host)}",
        f"               port {port}",
        '               :type "python"',
        '               :request "attach"',
        "               :justMyCode nil",
    ]
    pairs = [
        f"(:localRoot {_lisp(local)} :remoteRoot {_lisp(remote)})" for local, remote in mappings
    ]
    if pairs:
        lines.append(f"               :pathMappings [{' '.join(pairs)}]")
    return "\n".join(lines) + "))"


def dap_mode(host: str, port: int, mappings: Iterable[PathMapping] = ()) -> str:
    """Emacs Lisp for dap-mode. Arguments as for `vs_code`."""
    lines = [
        "(require 'dap-python)",
        "(dap-register-debug-template",
        f" {_lisp(NAME)}",
        ' (list :type "python"',
        "       :debugger 'debugpy",
        '       :request "attach"',
        f"       :name {_lisp(NAME)}",
        f"       :connect (list :host {_lisp(host)} :port {port})",
        "       :justMyCode :json-false",
    ]
    pairs = [
        f"(list :localRoot {_lisp(local)} :remoteRoot {_lisp(remote)})"
        for local, remote in mappings
    ]
    if pairs:
        lines.append(f"       :pathMappings (vector {' '.join(pairs)})")
    return "\n".join(lines) + "))"


def everything(host: str, port: int, mappings: Iterable[PathMapping] = ()) -> dict[str, str]:
    """All of them by the name of the editor. Arguments as for `vs_code`."""
    kept = list(mappings)
    return {
        "VS Code": vs_code(host, port, kept),
        "nvim-dap": nvim_dap(host, port, kept),
        "PyCharm": pycharm(host, port, kept),
        "Emacs, dape": dape(host, port, kept),
        "Emacs, dap-mode": dap_mode(host, port, kept),
    }


def _lua(text: str) -> str:
    return '"' + _escaped(text).replace("\n", "\\n") + '"'


def _lisp(text: str) -> str:
    return '"' + _escaped(text) + '"'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
