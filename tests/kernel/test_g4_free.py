"""G4: subshells are free: create, name, list and delete at any time, whatever runs in them.

Interrupts are in test_g4_interrupt.py, the end of the process in test_g4_shutdown.py and input()
in test_g4_input.py.
"""

from __future__ import annotations

import re

import pytest

from tests.wire import Wire

PROMPTLY = 5.0  # seconds; cells below never end by themselves, so any bound tells
ENDLESS = {
    "looping": "while True: pass",
    "looping in a function": "def spin():\n    while True: pass\nspin()",
    "waiting for an event": "go.wait()",
    "awaiting": "await asyncio.sleep(600)",
    "sleeping": "time.sleep(600)",
    "in short sleeps": "while True: time.sleep(0.01)",
    "catching what stops it": (
        "while not go.is_set():\n    try:\n        time.sleep(0.01)\n    except BaseException: pass"
    ),
    "in a shell command": "!sleep 600",
    "printing": "while True: print('x' * 1000)",
    "awaiting a task": "await asyncio.create_task(asyncio.Event().wait())",
}


# -- create, name, list ----------------------------------------------------------------------------


def test_ids_are_unique_and_listed_in_order(kernel: Wire) -> None:
    made = [kernel.create() for _ in range(10)]
    assert len(set(made)) == 10
    assert kernel.shells() == made
    kernel.delete(made[4])
    assert kernel.shells() == made[:4] + made[5:]


def test_ids_are_never_used_again(kernel: Wire) -> None:
    seen = set()
    for _ in range(10):
        made = kernel.create()
        assert made not in seen
        seen.add(made)
        kernel.delete(made)


def test_no_subshells_at_first(kernel: Wire) -> None:
    assert kernel.shells() == []


def test_a_named_child(kernel: Wire) -> None:
    made = kernel.create("plots")
    assert kernel.shells() == [made]
    cell = "import threading; threading.current_thread().name"
    assert kernel.execute(cell, subshell=made).result == "'subshell-plots'"
    assert kernel.execute("import ipyext; ipyext.subshell('plots').id").result == repr(made)


@pytest.mark.parametrize("name", ["a", "Größe", "a-b.c_9", "a" * 64])
def test_names_that_work(kernel: Wire, name: str) -> None:
    made = kernel.create(name)
    assert kernel.execute(f"import ipyext; ipyext.subshell({name!r}).id").result == repr(made)


@pytest.mark.parametrize("name", ["", "9a", "a b", "-a", "main", "parent", "all", "a" * 65, "a/b"])
def test_names_that_do_not(kernel: Wire, name: str) -> None:
    reply = kernel.control("create_subshell_request", {"name": name})
    assert reply["status"] == "error"
    assert reply["ename"] == "SubshellNameError"
    assert repr(name) in reply["evalue"]
    assert kernel.shells() == []


@pytest.mark.parametrize("name", [4, ["x"], {"x": 1}, True])
def test_a_name_that_is_no_string(kernel: Wire, name: object) -> None:
    reply = kernel.control("create_subshell_request", {"name": name})
    assert (reply["status"], reply["ename"]) == ("error", "InvalidContentError")
    assert kernel.shells() == []


def test_a_name_is_taken_until_its_owner_is_deleted(kernel: Wire) -> None:
    first = kernel.create("one")
    reply = kernel.control("create_subshell_request", {"name": "one"})
    assert (reply["status"], reply["ename"]) == ("error", "SubshellNameError")
    kernel.delete(first)
    second = kernel.create("one")
    assert second != first
    assert kernel.execute("'works'", subshell=second).result == "'works'"


def test_create_and_delete_fifty_times(kernel: Wire) -> None:
    for _ in range(50):
        made = kernel.create()
        assert kernel.execute("1", subshell=made).result == "1"
        kernel.delete(made)
    assert kernel.shells() == []


def test_threads_of_deleted_children_are_gone(kernel: Wire) -> None:
    kernel.execute("import threading")
    count = "sum(t.name.startswith('subshell-') for t in threading.enumerate())"
    made = [kernel.create() for _ in range(5)]
    for shell in made:
        kernel.execute("1", subshell=shell)
    assert kernel.execute(count).result == "5"
    for shell in made:
        kernel.delete(shell)
    assert kernel.execute(count).result == "0"


def test_create_from_within_a_child(kernel: Wire, child: str) -> None:
    made = kernel.execute("import ipyext; ipyext.create_subshell().id", subshell=child).result
    assert made is not None
    assert kernel.execute("'works'", subshell=made.strip("'")).result == "'works'"


def test_many_clients_of_control_create_at_once(kernel: Wire) -> None:
    sent = [kernel.send("create_subshell_request", channel="control") for _ in range(30)]
    made = [answer.content["subshell_id"] for answer in kernel.wait(*sent)]
    assert kernel.shells() == made
    sent = [
        kernel.send("delete_subshell_request", {"subshell_id": shell}, channel="control")
        for shell in made
    ]
    assert {answer.status for answer in kernel.wait(*sent)} == {"ok"}
    assert kernel.shells() == []


# -- delete ----------------------------------------------------------------------------------------


def test_delete_of_an_idle_child(kernel: Wire, child: str) -> None:
    kernel.execute("1", subshell=child)
    assert kernel.delete(child) == {"status": "ok"}
    assert kernel.shells() == []


def test_delete_of_a_child_that_was_never_used(kernel: Wire, child: str) -> None:
    assert kernel.delete(child) == {"status": "ok"}


def test_a_second_delete_is_an_error(kernel: Wire, child: str) -> None:
    kernel.delete(child)
    reply = kernel.delete(child)
    assert (reply["status"], reply["ename"]) == ("error", "SubshellNotFoundError")
    assert child in reply["evalue"]


@pytest.mark.fault
@pytest.mark.parametrize("doing", ENDLESS)
def test_delete_of_a_busy_child(kernel: Wire, child: str, doing: str) -> None:
    running = kernel.begin(ENDLESS[doing], subshell=child)
    queued = [kernel.send_execute(f"queued = {n}", subshell=child) for n in range(3)]
    deletion = kernel.send("delete_subshell_request", {"subshell_id": child}, channel="control")
    (answer,) = kernel.wait(deletion, timeout=PROMPTLY)
    assert answer.content == {"status": "ok"}
    for answer in kernel.wait(running, *queued, timeout=PROMPTLY):
        assert answer.status == "error"
        assert answer.content["ename"]
        assert answer.content["evalue"], answer.content
        assert isinstance(answer.content["traceback"], list)
    assert kernel.execute("'queued' in globals()").result == "False"
    assert kernel.shells() == []
    kernel.execute("go.set()")


@pytest.mark.fault
def test_delete_while_main_loops_too(kernel: Wire, child: str) -> None:
    main = kernel.begin("while not go.is_set(): pass")
    running = kernel.begin("while True: pass", subshell=child)
    assert kernel.delete(child) == {"status": "ok"}
    assert kernel.wait(running, timeout=PROMPTLY)[0].status == "error"
    kernel.execute("go.set()", subshell=kernel.create())
    assert kernel.wait(main)[0].status == "ok"


def test_delete_leaves_main_and_other_children_running(kernel: Wire, child: str) -> None:
    other = kernel.create()
    main = kernel.begin("go.wait(); 'main'")
    bystander = kernel.begin("go.wait(); 'other'", subshell=other)
    running = kernel.begin("while True: pass", subshell=child)
    kernel.delete(child)
    kernel.wait(running)
    kernel.execute("go.set()", subshell=kernel.create())
    assert [a.result for a in kernel.wait(main, bystander)] == ["'main'", "'other'"]


@pytest.mark.fault
def test_the_finally_of_a_deleted_awaiting_cell_runs(kernel: Wire, child: str) -> None:
    running = kernel.begin(
        "try:\n    await asyncio.sleep(600)\nfinally:\n    done.set()", subshell=child
    )
    kernel.delete(child)
    kernel.wait(running)
    assert kernel.execute("done.wait(30)").result == "True"


def test_the_finally_of_a_deleted_loop_runs(kernel: Wire, child: str) -> None:
    running = kernel.begin(
        "try:\n    while True: time.sleep(0)\nfinally:\n    done.set()", subshell=child
    )
    kernel.delete(child)
    kernel.wait(running)
    assert kernel.execute("done.wait(30)").result == "True"


def test_background_tasks_of_a_deleted_child_are_cancelled(kernel: Wire, child: str) -> None:
    kernel.execute(
        "async def background():\n    try:\n        await asyncio.sleep(600)\n"
        "    finally:\n        done.set()\n"
        "task = asyncio.get_running_loop().create_task(background())\nawait asyncio.sleep(0)",
        subshell=child,
    )
    kernel.delete(child)
    assert kernel.execute("done.wait(30)").result == "True"


def test_a_deleted_child_is_silent(kernel: Wire, child: str) -> None:
    running = kernel.begin(
        "while not go.is_set():\n    try:\n        go.wait()\n    except BaseException: pass\n"
        "print('afterwards'); print('err', file=sys.stderr)\n"
        "display({'text/plain': 'shown'}, raw=True)\ndone.set()",
        subshell=child,
    )
    kernel.delete(child)
    (answer,) = kernel.wait(running)
    kernel.execute("go.set(); done.wait(30)")
    kernel.execute("sys.stdout.flush()")
    assert answer.text() == "begun\n"
    assert (answer.text("stderr"), answer.shown) == ("", [])


def test_a_thread_that_does_not_end_is_a_zombie_until_it_does(kernel: Wire, child: str) -> None:
    kernel.execute("import ipyext")
    running = kernel.begin(
        "thread = threading.current_thread()\nprint('stubborn')\nwhile not go.is_set():\n"
        "    try:\n        go.wait()\n    except BaseException: pass",
        subshell=child,
    )
    kernel.wait_for_text(running, "stubborn")
    kernel.delete(child)
    kernel.wait(running)
    states = "[s.state for s in ipyext.subshells()]"
    assert kernel.execute(states).result == "['busy', 'zombie']"
    assert kernel.shells() == []
    kernel.execute("go.set(); thread.join(30)")
    assert kernel.execute(states).result == "['busy']"


def test_a_thread_that_fails_after_an_unload_ends(kernel: Wire, child: str) -> None:
    """Its queue is aborted no more: the thread that routes messages may be gone."""
    running = kernel.begin(
        "thread = threading.current_thread()\nprint('stubborn')\nwhile not go.is_set():\n"
        "    try:\n        go.wait()\n    except BaseException: pass\n1 / 0",
        subshell=child,
    )
    kernel.wait_for_text(running, "stubborn")
    assert kernel.execute("%unload_ext ipyext").status == "ok"
    kernel.wait(running)
    assert kernel.execute("go.set(); thread.join(30); thread.is_alive()").result == "False"


def test_a_child_can_delete_itself(kernel: Wire, child: str) -> None:
    answer = kernel.execute(
        "import ipyext; ipyext.current_subshell().delete(); print('still here'); 42",
        subshell=child,
    )
    assert (answer.status, answer.text(), answer.result) == ("ok", "still here\n", "42")
    assert kernel.shells() == []
    assert kernel.execute("1", subshell=child).status == "error"


def test_a_child_can_delete_another(kernel: Wire, child: str) -> None:
    other = kernel.create("other")
    running = kernel.begin("while True: pass", subshell=other)
    assert kernel.execute("%subshell delete other", subshell=child).status == "ok"
    assert kernel.wait(running, timeout=PROMPTLY)[0].status == "error"
    assert kernel.shells() == [child]


def test_a_name_is_free_while_its_former_owner_is_a_zombie(kernel: Wire, child: str) -> None:
    first = kernel.create("one")
    running = kernel.begin("time.sleep(600)", subshell=first)
    kernel.delete(first)
    kernel.wait(running)
    assert kernel.execute("'works'", subshell=kernel.create("one")).result == "'works'"


def test_random_ids_do_not_look_like_names(kernel: Wire) -> None:
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", kernel.create())
