"""Settings: each does what its help says, at once; wrong values are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ipyext.config import IPyExt
from tests.wire import KernelProcess, Wire

# The thread of the newest child; its end is the end of the child.
THREAD = (
    "import threading\n"
    "*_, thread = [t for t in threading.enumerate() if t.name.startswith('subshell')]"
)


def setting(kernel: Wire, name: str, value: object) -> None:
    assert kernel.execute(f"%config IPyExt.{name} = {value!r}").status == "ok"


def create(kernel: Wire) -> dict[str, object]:
    return kernel.control("create_subshell_request")


def test_the_limit_of_subshells(kernel: Wire) -> None:
    setting(kernel, "max_subshells", 2)
    first, second = kernel.create(), kernel.create()
    refused = create(kernel)
    assert refused["ename"] == "TooManySubshellsError"
    assert "there are 2" in str(refused["evalue"])
    cell = kernel.execute("%%subshell third\n1", stop_on_error=False)
    assert (cell.status, cell.content["ename"]) == ("error", "TooManySubshellsError")
    kernel.delete(first)
    third = kernel.create()
    setting(kernel, "max_subshells", 0)  # those that there are stay
    assert kernel.control("list_subshell_request")["subshell_id"] == [second, third]
    assert kernel.execute("'alive'", subshell=second).result == "'alive'"
    assert create(kernel)["ename"] == "TooManySubshellsError"


def test_a_child_is_culled_when_it_and_its_client_are_silent(
    kernel: Wire, process: KernelProcess
) -> None:
    other = process.client()
    kernel.create()
    other.execute(THREAD)
    setting(other, "cull_idle_subshells", 0.3)
    assert other.execute("thread.join(30); thread.is_alive()").result == "False"
    assert other.control("list_subshell_request")["subshell_id"] == []


def test_a_busy_child_is_not_culled(kernel: Wire, child: str, process: KernelProcess) -> None:
    other = process.client()
    other.execute(THREAD)
    running = kernel.begin("go.wait()", subshell=child)
    setting(other, "cull_idle_subshells", 0.1)
    assert other.execute("thread.join(1); thread.is_alive()").result == "True"
    other.execute("go.set()")
    assert kernel.wait(running)[0].status == "ok"
    assert other.execute("thread.join(30); thread.is_alive()").result == "False"


LEFT = {
    "a task that sleeps": (
        "async def task():\n    while not go.is_set(): await asyncio.sleep(0.05)\n"
        "kept = asyncio.create_task(task())"
    ),
    "a task that spins": (
        "async def task():\n    while not start.is_set(): await asyncio.sleep(0.01)\n"
        "    while not go.is_set(): pass\n"
        "kept = asyncio.create_task(task())"
    ),
    "a timer": (
        "def tick():\n    if not go.is_set(): asyncio.get_running_loop().call_later(0.2, tick)\n"
        "tick()"
    ),
    "a callback that spins": (
        "def spin():\n    if not start.is_set():\n"
        "        return asyncio.get_running_loop().call_later(0.01, spin)\n"
        "    while not go.is_set(): pass\n"
        "spin() and None"
    ),
}


@pytest.mark.parametrize("orphaned", [False, True])
@pytest.mark.parametrize("left", LEFT.values(), ids=LEFT)
def test_what_a_cell_has_left_is_work(
    kernel: Wire, process: KernelProcess, left: str, orphaned: bool
) -> None:
    kernel.execute("import asyncio, threading; start, go = threading.Event(), threading.Event()")
    other = process.client()
    child = other.create()
    other.execute(THREAD)
    assert other.execute(left, subshell=child).status == "ok"
    other.execute("start.set()")
    setting(kernel, f"cull_{'orphaned' if orphaned else 'idle'}_subshells", 0.1)
    if orphaned:
        other.close()
    assert kernel.execute("thread.join(1); thread.is_alive()").result == "True"
    assert child in kernel.shells()
    assert kernel.execute("go.set(); thread.join(30); thread.is_alive()").result == "False"


def test_a_child_whose_client_is_active_is_not_culled(kernel: Wire, child: str) -> None:
    """Also where the client speaks to main only, and more often than the child is used."""
    kernel.execute(THREAD)
    setting(kernel, "cull_idle_subshells", 1.0)
    for _ in range(12):  # twice that long
        assert kernel.execute("thread.join(0.2); thread.is_alive()").result == "True"


def test_children_that_cells_made_are_not_culled(kernel: Wire) -> None:
    kernel.execute("%subshell create kept")
    kernel.execute(THREAD)
    setting(kernel, "cull_idle_subshells", 0.1)
    assert kernel.execute("thread.join(1); thread.is_alive()").result == "True"


ENDS = "thread.join(30); thread.is_alive()"


def leave(client: Wire) -> str:
    """Have a client make a child, and lose its connection; returns the id."""
    left = client.create()
    client.execute(THREAD)
    client.close()
    return left


def test_an_orphan_is_culled_and_comes_back(kernel: Wire, process: KernelProcess) -> None:
    setting(kernel, "cull_orphaned_subshells", 0.3)
    left = leave(process.client())
    assert kernel.execute(ENDS).result == "False"
    assert kernel.shells() == []
    assert kernel.execute("6 * 7", subshell=left).result == "42"
    assert kernel.shells() == [left]


def test_an_orphan_that_was_culled_can_be_deleted(kernel: Wire, process: KernelProcess) -> None:
    setting(kernel, "cull_orphaned_subshells", 0.1)
    left = leave(process.client())
    assert kernel.execute(ENDS).result == "False"
    assert kernel.delete(left) == {"status": "ok"}
    gone = kernel.execute("1", subshell=left, stop_on_error=False)
    assert gone.content["ename"] == "UnknownSubshellError"


def test_an_orphan_may_end_its_work(kernel: Wire, process: KernelProcess) -> None:
    setting(kernel, "cull_orphaned_subshells", 0.1)
    kernel.execute("import threading; go, done = threading.Event(), threading.Event()")
    other = process.client()
    child = other.create()
    other.execute(THREAD)
    other.begin("go.wait(); done.set()", subshell=child)
    other.close()
    assert kernel.execute("thread.join(1); thread.is_alive()").result == "True"
    assert kernel.execute("go.set(); done.wait(30)").result == "True"
    assert kernel.execute(ENDS).result == "False"


def test_who_is_connected_has_no_orphans(kernel: Wire, process: KernelProcess) -> None:
    """Also one that says nothing; and a name is for people who come back."""
    setting(kernel, "cull_orphaned_subshells", 0.1)
    other, third = process.client(), process.client()
    kept, named = other.create(), third.create("named")
    third.close()
    left = leave(process.client())
    assert kernel.execute(ENDS).result == "False"
    assert kernel.shells() == [kept, named]
    assert left not in kernel.shells()


def test_no_timer_is_left_when_culling_is_switched_off(kernel: Wire, child: str) -> None:
    kernel.execute(THREAD)
    setting(kernel, "cull_idle_subshells", 0.5)
    setting(kernel, "cull_idle_subshells", 0.0)
    assert kernel.execute("thread.join(1.5); thread.is_alive()").result == "True"


@pytest.mark.parametrize("answered", [True, False])
def test_requests_while_main_is_busy(kernel: Wire, child: str, answered: bool) -> None:
    setting(kernel, "answer_while_busy", answered)
    running = kernel.begin("go.wait()")
    asked = [
        kernel.send("complete_request", {"code": "pri", "cursor_pos": 3}),
        kernel.send("inspect_request", {"code": "print", "cursor_pos": 5}),
        kernel.send("kernel_info_request"),
    ]
    if answered:
        kernel.wait(*asked)
    kernel.execute("go.set()", subshell=child)  # routed behind them
    main, *answers = kernel.wait(running, *asked)
    assert main.reply is not None
    for answer in answers:
        assert answer.reply is not None
        before = answer.reply["header"]["date"] < main.reply["header"]["date"]
        assert before == answered


WRONG = [
    ("answer_while_busy", "perhaps"),
    ("comms", "nonsense"),
    ("comm_targets", 5),
    ("comm_targets", {"jupyter.widget": "nonsense"}),
    ("max_subshells", -1),
    ("max_subshells", "many"),
    ("max_subshells", 1.5),
    ("max_subshells", True),
    ("comm_targets", {1: "main"}),
    ("cull_idle_subshells", -0.5),
    ("cull_idle_subshells", "a while"),
    ("cull_orphaned_subshells", -0.5),
    ("cull_orphaned_subshells", None),
    ("debug_stop", "everything"),
    ("keep_output", -1),
    ("keep_output", "much"),
]
SETTINGS = IPyExt.class_trait_names(config=True)


def test_each_setting_has_a_wrong_value() -> None:
    assert {name for name, _ in WRONG} == set(SETTINGS)


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_wrong_values_are_refused(kernel: Wire, name: str, value: object) -> None:
    before = kernel.execute(f"%config IPyExt.{name}").result
    answer = kernel.execute(f"%config IPyExt.{name} = {value!r}")
    assert name in answer.text("stderr")  # as IPython shows it for every class
    assert "Traceback" not in answer.text("stderr")
    assert kernel.execute(f"%config IPyExt.{name}").result == before
    # IPython keeps the wrong value in its own configuration, where the next load finds it.
    kernel.execute("%unload_ext ipyext")
    refused = kernel.execute("%load_ext ipyext", stop_on_error=False)
    assert refused.content["ename"] == "UsageError"
    text = refused.text("stderr")
    assert text.startswith("UsageError: ipyext was not loaded and nothing was changed: a setting")
    assert name in text
    assert ".." not in text
    assert text.count("\n") == 1
    kernel.execute(f"%config IPyExt.{name} = {before}")
    assert kernel.execute("%load_ext ipyext").status == "ok"


@pytest.mark.parametrize("value", ["nan", "inf"])
@pytest.mark.parametrize("name", ["cull_idle_subshells", "cull_orphaned_subshells", "keep_output"])
def test_amounts_that_are_no_number_are_refused(kernel: Wire, name: str, value: str) -> None:
    before = kernel.execute(f"%config IPyExt.{name}").result
    answer = kernel.execute(f"%config IPyExt.{name} = float({value!r})")
    assert f"{name!r} trait" in answer.text("stderr")
    assert kernel.execute(f"%config IPyExt.{name}").result == before


def configured(
    start_kernel: Callable[..., KernelProcess], home: Path, line: str, *arguments: str
) -> KernelProcess:
    """A kernel with a configuration file, in which the extension loads by itself."""
    profile = home / "profile_default"
    profile.mkdir()
    (profile / "ipython_kernel_config.py").write_text(f"c = get_config()\n{line}\n")
    return start_kernel("--ext=ipyext.autoload", *arguments, env={"IPYTHONDIR": str(home)})


def test_a_wrong_value_in_a_configuration_file(
    start_kernel: Callable[..., KernelProcess], tmp_path: Path
) -> None:
    """The kernel starts as a stock kernel, and its log has one line about it."""
    process = configured(start_kernel, tmp_path, "c.IPyExt.comms = 'nonsense'")
    kernel = process.client()
    assert kernel.execute("'ipyext' in get_ipython().extension_manager.loaded").result == "False"
    (line,) = [
        line for line in process.log.read_text().splitlines() if "a setting is wrong" in line
    ]
    assert "The 'comms' trait of an IPyExt instance" in line
    assert "nonsense" in line
    refused = kernel.execute("%load_ext ipyext", stop_on_error=False).text("stderr")
    assert refused.startswith("UsageError: ipyext was not loaded and nothing was changed")
    assert kernel.execute("'stock'").result == "'stock'"


def test_an_unknown_name_in_a_configuration_file(
    start_kernel: Callable[..., KernelProcess], tmp_path: Path
) -> None:
    process = configured(start_kernel, tmp_path, "c.IPyExt.max_subshelz = 1")
    kernel = process.client()
    kernel.create()
    kernel.create()
    (line,) = [line for line in process.log.read_text().splitlines() if "max_subshelz" in line]
    assert line.endswith(
        "IPyExt has no setting 'max_subshelz', so it is ignored. Did you mean 'max_subshells'?"
    )


def test_settings_from_the_command_line(start_kernel: Callable[..., KernelProcess]) -> None:
    process = start_kernel("--ext", "ipyext", "--IPyExt.max_subshells=1")
    kernel = process.client()
    kernel.create()
    assert create(kernel)["ename"] == "TooManySubshellsError"


def test_settings_show_their_help(kernel: Wire) -> None:
    text = " ".join(kernel.execute("%config IPyExt").text().split())
    for name in SETTINGS:
        assert f"IPyExt.{name}" in text
        assert " ".join(IPyExt.class_traits()[name].help.split()) in text
