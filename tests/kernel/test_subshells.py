"""JEP 91: create, list, delete, and cells side by side."""

from __future__ import annotations

from tests.wire import Wire


def test_create_list_delete(kernel: Wire) -> None:
    first, second = kernel.create(), kernel.create()
    assert kernel.control("list_subshell_request") == {
        "status": "ok",
        "subshell_id": [first, second],
    }
    assert kernel.control("delete_subshell_request", {"subshell_id": first}) == {"status": "ok"}
    assert kernel.control("list_subshell_request")["subshell_id"] == [second]


def test_a_child_answers_while_main_loops(kernel: Wire) -> None:
    child = kernel.create()
    kernel.execute("stop = False; x = 40")
    loop = kernel.send_execute("while not stop: pass\nprint('main ends')")
    answer = kernel.execute("print('child'); x + 2", subshell=child)
    assert (answer.text(), answer.result) == ("child\n", "42")
    kernel.execute("stop = True", subshell=child)
    assert kernel.wait(loop)[0].text() == "main ends\n"
