"""Launch configurations: what is pasted says where the kernel is, whatever the paths look like."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from ipyext.debug import launch
from ipyext.debug.launch import PathMapping

HOST, PORT = "127.0.0.1", 5678
WINDOWS = PathMapping('C:\\Users\\a "b"\\new', "/srv/größe")
LISP = [launch.dape, launch.dap_mode]


def test_vs_code() -> None:
    found = json.loads(launch.vs_code(HOST, PORT))
    assert found == {
        "name": launch.NAME,
        "type": "debugpy",
        "request": "attach",
        "connect": {"host": HOST, "port": PORT},
        "justMyCode": False,
    }


def test_vs_code_with_paths() -> None:
    text = launch.vs_code(HOST, PORT, [PathMapping("${workspaceFolder}", "/srv"), WINDOWS])
    assert json.loads(text)["pathMappings"] == [
        {"localRoot": "${workspaceFolder}", "remoteRoot": "/srv"},
        {"localRoot": WINDOWS.local, "remoteRoot": WINDOWS.remote},
    ]
    assert "größe" in text


def test_nvim_dap() -> None:
    text = launch.nvim_dap(HOST, PORT, [WINDOWS])
    assert 'host = "127.0.0.1"' in text
    assert "port = 5678" in text
    assert 'localRoot = "C:\\\\Users\\\\a \\"b\\"\\\\new", remoteRoot = "/srv/größe"' in text
    assert "pathMappings" not in launch.nvim_dap(HOST, PORT)


@pytest.mark.skipif(shutil.which("lua") is None, reason="there is no lua to read it with")
def test_nvim_dap_is_lua() -> None:
    text = "dap_stub = {adapters = {}, configurations = {}}\n"
    text += "function require(name) return dap_stub end\n"
    text += launch.nvim_dap(HOST, PORT, [WINDOWS])
    text += "\nio.write(dap_stub.configurations.python[1].pathMappings[1].localRoot)"
    done = subprocess.run(["lua", "-e", text], capture_output=True, check=True)
    assert done.stdout.decode() == WINDOWS.local


def test_pycharm() -> None:
    text = launch.pycharm(HOST, PORT, [PathMapping("/home/me/project", "/srv"), WINDOWS])
    assert "Remote address: 127.0.0.1:5678\n" in text
    assert text.endswith("Remote project path: /srv")
    assert "Remote project path" not in launch.pycharm(HOST, PORT)
    assert "Remote address: [::1]:5678" in launch.pycharm("::1", PORT)


def _balanced(text: str) -> bool:
    depth, inside, escaped = 0, False, False
    for letter in text:
        if escaped:
            escaped = False
        elif inside:
            escaped = letter == "\\"
            inside = letter != '"'
        elif letter == '"':
            inside = True
        else:
            depth += (letter in "([") - (letter in ")]")
    return depth == 0 and not inside


@pytest.mark.parametrize("make", LISP)
def test_emacs(make: object) -> None:
    assert callable(make)
    plain, mapped = make(HOST, PORT), make(HOST, PORT, [WINDOWS, WINDOWS])
    assert _balanced(plain)
    assert _balanced(mapped)
    assert ':request "attach"' in plain
    assert 'host "127.0.0.1"' in plain
    assert "port 5678" in plain
    assert "pathMappings" not in plain
    assert ':localRoot "C:\\\\Users\\\\a \\"b\\"\\\\new" :remoteRoot "/srv/größe"' in mapped


def test_everything() -> None:
    mappings = iter([WINDOWS])  # used more than once, whatever it is
    found = launch.everything(HOST, PORT, mappings)
    assert set(found) == {"VS Code", "nvim-dap", "PyCharm", "Emacs, dape", "Emacs, dap-mode"}
    assert all("127.0.0.1" in text and "5678" in text for text in found.values())
    assert all(WINDOWS.remote in text for text in found.values())
