"""G4 and G2: any number of shells ask for input at once, and each gets its own answer."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.wire import KernelProcess, Wire


def ask(kernel: Wire, who: str, subshell: str | None = None) -> str:
    return kernel.send_execute(
        f"{who} = input('{who}? ')\nprint('{who} got', {who})", subshell=subshell, allow_stdin=True
    )


def prompt(question: dict[str, Any]) -> str:
    return str(question["content"]["prompt"])


def test_input_in_a_child_while_main_loops(kernel: Wire, child: str) -> None:
    loop = kernel.begin("while not go.is_set(): pass")
    asking = ask(kernel, "child", child)
    (question,) = kernel.wait_for_input()
    assert question["content"] == {"prompt": "child? ", "password": False}
    assert question["parent_header"]["msg_id"] == asking
    kernel.answer_input(question, "blue")
    assert kernel.wait(asking)[0].text() == "child got blue\n"
    kernel.execute("go.set()", subshell=child)
    kernel.wait(loop)


def test_getpass_in_a_child(kernel: Wire, child: str) -> None:
    asking = kernel.send_execute(
        "from getpass import getpass\ngetpass('secret? ')", subshell=child, allow_stdin=True
    )
    (question,) = kernel.wait_for_input()
    assert question["content"] == {"prompt": "secret? ", "password": True}
    kernel.answer_input(question, "hush")
    assert kernel.wait(asking)[0].result == "'hush'"


def test_output_comes_before_the_question(kernel: Wire, child: str) -> None:
    for shell in (None, child):
        asking = kernel.send_execute("print('first'); input()", subshell=shell, allow_stdin=True)
        (question,) = kernel.wait_for_input()
        kernel.wait_for_text(asking, "first\n")
        kernel.answer_input(question, "")
        kernel.wait(asking)


@pytest.mark.fault
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_three_shells_answered_in_any_order(
    kernel: Wire, child: str, order: tuple[int, ...]
) -> None:
    shells = {"main": None, "one": child, "two": kernel.create()}
    asking = {who: ask(kernel, who, shell) for who, shell in shells.items()}
    questions = kernel.wait_for_input(3)
    assert sorted(prompt(q) for q in questions) == ["main? ", "one? ", "two? "]
    for which in order:
        who = prompt(questions[which]).removesuffix("? ")
        kernel.answer_input(questions[which], f"for {who}")
        assert kernel.wait(asking[who])[0].text() == f"{who} got for {who}\n"


def test_answers_without_a_parent_go_to_the_oldest_question(kernel: Wire, child: str) -> None:
    first = ask(kernel, "one", child)
    kernel.wait_for_input()
    second = ask(kernel, "main")
    kernel.wait_for_input()
    kernel.answer_input({}, "1", with_parent=False)
    assert kernel.wait(first)[0].text() == "one got 1\n"
    kernel.answer_input({}, "2", with_parent=False)
    assert kernel.wait(second)[0].text() == "main got 2\n"


def test_an_answer_with_a_parent_overtakes_one_without(kernel: Wire, child: str) -> None:
    first = ask(kernel, "one", child)
    kernel.wait_for_input()
    second = ask(kernel, "main")
    (question,) = kernel.wait_for_input()
    kernel.answer_input(question, "2")
    assert kernel.wait(second)[0].text() == "main got 2\n"
    kernel.answer_input({}, "1", with_parent=False)
    assert kernel.wait(first)[0].text() == "one got 1\n"


QUESTIONS = 1000


@pytest.mark.fault
@pytest.mark.timeout(300)
def test_many_questions_of_three_shells(kernel: Wire, child: str) -> None:
    shells = [None, child, kernel.create()]
    sent = [
        kernel.send_execute(
            f"got_{n} = [input('{n} %d' % i) for i in range({QUESTIONS})]\n"
            f"got_{n} == ['{n} %d' % i for i in range({QUESTIONS})]",
            subshell=shell,
            allow_stdin=True,
        )
        for n, shell in enumerate(shells)
    ]
    for _ in range(3 * QUESTIONS):
        (question,) = kernel.wait_for_input()
        kernel.answer_input(question, prompt(question))
    assert [a.result for a in kernel.wait(*sent)] == ["True"] * 3


def test_two_clients_are_asked_each_for_itself(
    kernel: Wire, child: str, process: KernelProcess
) -> None:
    other = process.client()
    mine, theirs = ask(kernel, "mine"), ask(other, "theirs", child)
    (to_me,), (to_them,) = kernel.wait_for_input(), other.wait_for_input()
    assert (prompt(to_me), prompt(to_them)) == ("mine? ", "theirs? ")
    other.answer_input({}, "b", with_parent=False)
    kernel.answer_input({}, "a", with_parent=False)
    assert kernel.wait(mine)[0].text() == "mine got a\n"
    assert other.wait(theirs)[0].text() == "theirs got b\n"
    other.check()


def test_a_client_cannot_answer_anothers_question(
    kernel: Wire, child: str, process: KernelProcess
) -> None:
    other = process.client()
    asking = ask(kernel, "mine", child)
    (question,) = kernel.wait_for_input()
    other.answer_input({}, "wrong", with_parent=False)
    assert other.request("kernel_info_request").status == "ok"
    kernel.answer_input(question, "right")
    assert kernel.wait(asking)[0].text() == "mine got right\n"


def test_allow_stdin_false_refuses_only_that_cell(kernel: Wire, child: str) -> None:
    asking = ask(kernel, "main")
    (question,) = kernel.wait_for_input()
    refused = kernel.execute("input('no? ')", subshell=child, allow_stdin=False)
    assert refused.content["ename"] == "StdinNotImplementedError"
    assert kernel.inputs == []
    kernel.answer_input(question, "yes")
    assert kernel.wait(asking)[0].text() == "main got yes\n"


def test_allow_stdin_false_in_main_while_a_child_asks(kernel: Wire, child: str) -> None:
    asking = ask(kernel, "child", child)
    (question,) = kernel.wait_for_input()
    refused = kernel.execute("input('no? ')", allow_stdin=False)
    assert refused.content["ename"] == "StdinNotImplementedError"
    kernel.answer_input(question, "yes")
    assert kernel.wait(asking)[0].text() == "child got yes\n"


@pytest.mark.fault
def test_main_may_ask_after_a_child_that_may_not(kernel: Wire, child: str) -> None:
    main = kernel.begin("go.wait()\ninput('now? ')", allow_stdin=True)
    kernel.execute("1", subshell=child, allow_stdin=False)
    kernel.execute("go.set()", subshell=child, allow_stdin=False)
    kernel.answer_input(kernel.wait_for_input()[0], "here")
    assert kernel.wait(main)[0].result == "'here'"


def test_input_in_a_thread_of_a_child(kernel: Wire, child: str) -> None:
    asking = kernel.send_execute(
        "heard = []\nthread = threading.Thread(target=lambda: heard.append(input('thread? ')))\n"
        "thread.start(); thread.join()\nheard",
        subshell=child,
        allow_stdin=True,
    )
    kernel.answer_input(kernel.wait_for_input()[0], "yes")
    assert kernel.wait(asking)[0].result == "['yes']"


def test_end_of_file(kernel: Wire, child: str) -> None:
    for shell in (None, child):
        asking = ask(kernel, "asked", shell)
        kernel.answer_input(kernel.wait_for_input()[0], "\x04")
        assert kernel.wait(asking)[0].content["ename"] == "EOFError"


@pytest.mark.fault
def test_interrupt_of_a_child_that_asks(kernel: Wire, child: str) -> None:
    asking = ask(kernel, "child", child)
    (question,) = kernel.wait_for_input()
    kernel.control("interrupt_request", {"subshell_id": child})
    assert kernel.wait(asking)[0].content["ename"] == "KeyboardInterrupt"
    kernel.answer_input(question, "too late")
    again = ask(kernel, "again", child)
    kernel.answer_input(kernel.wait_for_input()[0], "in time")
    assert kernel.wait(again)[0].text() == "again got in time\n"


def test_interrupt_of_main_that_asks_leaves_a_child_asking(kernel: Wire, child: str) -> None:
    main, asking = ask(kernel, "main"), ask(kernel, "child", child)
    questions = kernel.wait_for_input(2)
    kernel.control("interrupt_request")
    assert kernel.wait(main)[0].content["ename"] == "KeyboardInterrupt"
    (question,) = [q for q in questions if prompt(q) == "child? "]
    kernel.answer_input(question, "blue")
    assert kernel.wait(asking)[0].text() == "child got blue\n"


def test_interrupt_without_an_id_reaches_a_child_that_asks(kernel: Wire, child: str) -> None:
    asking = ask(kernel, "child", child)
    kernel.wait_for_input()
    kernel.control("interrupt_request")
    assert kernel.wait(asking)[0].content["ename"] == "KeyboardInterrupt"


@pytest.mark.fault
def test_delete_of_a_child_that_asks(kernel: Wire, child: str) -> None:
    main, asking = ask(kernel, "main"), ask(kernel, "child", child)
    questions = kernel.wait_for_input(2)
    assert kernel.delete(child) == {"status": "ok"}
    assert kernel.wait(asking)[0].status == "error"
    (question,) = [q for q in questions if prompt(q) == "main? "]
    kernel.answer_input(question, "still")
    assert kernel.wait(main)[0].text() == "main got still\n"


def test_the_state_says_who_waits(kernel: Wire, child: str) -> None:
    kernel.execute("import ipyext")
    asking = ask(kernel, "child", child)
    (question,) = kernel.wait_for_input()
    states = "[s.state for s in ipyext.subshells()]"
    assert kernel.execute(states).result == "['busy', 'waiting for input']"
    kernel.answer_input(question, "x")
    kernel.wait(asking)


def test_pdb_in_a_child(kernel: Wire, child: str) -> None:
    running = kernel.send_execute(
        "import pdb\nvalue = 5\npdb.Pdb().set_trace()\nvalue", subshell=child, allow_stdin=True
    )
    for command in ("value = 7", "c"):
        kernel.answer_input(kernel.wait_for_input()[0], command)
    assert kernel.wait(running)[0].result == "7"


@pytest.mark.fault
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_secrets_and_inputs_of_two_clients_answered_in_any_order(
    kernel: Wire, child: str, process: KernelProcess, order: tuple[int, ...]
) -> None:
    other = process.client()
    asked = [(kernel, None, "input"), (other, child, "getpass"), (kernel, kernel.create(), "input")]
    kernel.execute("from getpass import getpass")
    asking, questions = [], []
    for client, shell, function in asked:
        cell = f"print('told', {function}('{function}? '))"
        asking.append(client.send_execute(cell, subshell=shell, allow_stdin=True))
        questions += client.wait_for_input()
        assert questions[-1]["content"] == {
            "prompt": f"{function}? ",
            "password": function == "getpass",
        }
        assert questions[-1]["parent_header"]["msg_id"] == asking[-1]
    for which in order:
        client = asked[which][0]
        client.answer_input(questions[which], f"answer {which}")
        (answer,) = client.wait(asking[which])
        assert answer.text() == f"told answer {which}\n"
    assert (kernel.inputs, other.inputs) == ([], [])
    other.check()
