"""Many clients and one debugger: breakpoints, and the paths in them."""

from __future__ import annotations

from tests.fake_debugpy import Client, Message, World

FILE = "/cells/1.py"


def test_each_client_has_its_own_ids(world: World, lab: Client, code: Client) -> None:
    first = lab.set(FILE, 3, 5)
    second = code.set(FILE, 5, 7)
    assert world.debugpy.sources[FILE] == [{"line": 3}, {"line": 5}, {"line": 7}]
    assert len({one["id"] for one in first + second}) == 4
    assert [one["line"] for one in second] == [5, 7]
    world.stop(9, world.debugpy.ids[FILE][1])
    assert lab.events("stopped")[0]["hitBreakpointIds"] == [first[1]["id"]]
    assert code.events("stopped")[0]["hitBreakpointIds"] == [second[0]["id"]]
    world.stop(9, world.debugpy.ids[FILE][2])
    assert "hitBreakpointIds" not in lab.events("stopped")[1]
    assert code.events("stopped")[1]["hitBreakpointIds"] == [second[1]["id"]]
    code.set(FILE)
    assert world.debugpy.sources[FILE] == [{"line": 3}, {"line": 5}]


def test_who_did_not_want_a_stop_has_not_hit(world: World, lab: Client, code: Client) -> None:
    """At a place of several clients."""
    ours = world.connect(jupyter=False)
    ours.attach()
    (first,) = lab.set(FILE, {"line": 3, "condition": "x"})
    (second,) = code.set(FILE, {"line": 3, "condition": "y"})
    (third,) = ours.set(FILE, 3)

    def stop(*against: Message) -> list[list[int]]:
        world.kernel.against[9] = frozenset(one["id"] for one in against)
        world.stop(9, world.debugpy.ids[FILE][0])
        clients = (lab, code, ours)
        return [client.events("stopped")[-1].get("hitBreakpointIds", []) for client in clients]

    assert stop() == [[first["id"]], [second["id"]], [third["id"]]]
    assert stop(second) == [[first["id"]], [], [third["id"]]]
    assert stop(first, second) == [[], [], [third["id"]]]


def test_clients_that_read_the_same_events_are_told_no_ids(world: World, lab: Client) -> None:
    """One message is for all of Jupyter: it would tell each of them the others' ids."""
    other = world.connect()
    other.attach()
    (mine,) = lab.set(FILE, 3)
    world.stop(9, world.debugpy.ids[FILE][0])
    assert "hitBreakpointIds" not in lab.events("stopped")[-1]
    other.do("disconnect")
    world.debugpy.answer_all()
    world.stop(9, world.debugpy.ids[FILE][0])
    assert lab.events("stopped")[-1]["hitBreakpointIds"] == [mine["id"]]


def test_conflicts_are_decided(world: World, lab: Client, code: Client) -> None:
    (mine,) = lab.set(FILE, {"line": 3, "condition": "x"})
    (other,) = code.set(FILE, {"line": 3, "condition": "y"})
    wanted = [{"line": 3, "condition": f"decide {mine['id']} {other['id']}"}]
    assert world.debugpy.sources[FILE] == wanted


def test_a_breakpoint_that_moves_is_told_to_its_owners(
    world: World, lab: Client, code: Client
) -> None:
    (mine,) = lab.set(FILE, 3)
    seq = code.begin("setBreakpoints", source={"path": FILE}, breakpoints=[{"line": 3}])
    (number,) = world.debugpy.ids[FILE]
    moved = {"id": number, "verified": True, "line": 4}
    world.debugpy.answer("setBreakpoints", breakpoints=[moved])
    response = code.response(seq)
    assert response is not None
    (other,) = response["body"]["breakpoints"]
    assert other["line"] == 4
    assert code.events("breakpoint") == []
    told = {"reason": "changed", "breakpoint": {**moved, "id": mine["id"]}}
    assert lab.events("breakpoint") == [told]
    gone = {"id": number, "verified": False, "message": "no code"}
    world.debugpy.event("breakpoint", reason="changed", breakpoint=gone)
    for client, point in ((lab, mine), (code, other)):
        told = {"reason": "changed", "breakpoint": {**gone, "id": point["id"]}}
        assert client.events("breakpoint")[-1] == told


def test_what_has_moved_is_shown_where_it_is(world: World, lab: Client) -> None:
    other = world.connect()
    other.attach()
    (mine,) = lab.set(FILE, 3)
    (number,) = world.debugpy.ids[FILE]
    moved = {"id": number, "verified": True, "line": 4}
    world.debugpy.event("breakpoint", reason="changed", breakpoint=moved)
    (found,) = other.do("debugInfo")["breakpoints"]
    assert found["breakpoints"] == [{"line": 4}]
    lab.forget()
    other.set(FILE, *found["breakpoints"])  # as it was shown, so nothing is taken away
    assert [event["reason"] for event in lab.events("breakpoint")] == ["changed"]
    (again,) = lab.set(FILE, 3)
    assert again["id"] == mine["id"]


def test_breakpoint_events_of_who_has_left_are_for_nobody(
    world: World, lab: Client, code: Client
) -> None:
    code.set(FILE, 3)
    number = world.debugpy.ids[FILE][0]
    world.close(code)
    body = {"id": number, "verified": False}
    world.debugpy.event("breakpoint", reason="changed", breakpoint=body)
    world.debugpy.answer_all()
    assert lab.events() == []


def test_functions_and_exceptions_are_merged(world: World, lab: Client, code: Client) -> None:
    (mine,) = lab.do("setFunctionBreakpoints", breakpoints=[{"name": "f"}])["breakpoints"]
    code.do("setFunctionBreakpoints", breakpoints=[{"name": "g"}, {"name": "f"}])
    assert world.debugpy.functions == [{"name": "f"}, {"name": "g"}]
    lab.do("setExceptionBreakpoints", filters=["uncaught"])
    code.do("setExceptionBreakpoints", filters=["raised"])
    assert world.debugpy.exceptions == {"filters": ["raised", "uncaught"]}
    again = lab.do("setFunctionBreakpoints", breakpoints=[{"name": "f"}])["breakpoints"]
    assert again == [mine]
    code.do("disconnect")
    world.debugpy.answer_all()
    assert world.debugpy.functions == [{"name": "f"}]
    assert world.debugpy.exceptions == {"filters": ["uncaught"]}
    assert mine["verified"]


def test_path_mappings(world: World, lab: Client) -> None:
    mappings = [
        {"localRoot": "C:\\work\\deep", "remoteRoot": "/srv"},
        {"localRoot": "C:\\w", "remoteRoot": "/srv/app"},
        {"localRoot": "/all", "remoteRoot": "/"},
    ]
    code = world.connect(jupyter=False)
    code.attach(pathMappings=mappings)
    (point,) = code.set("C:\\w\\pkg\\m.py", 3)
    assert world.debugpy.sources["/srv/app/pkg/m.py"] == [{"line": 3}]
    assert point["source"]["path"] == "C:\\w\\pkg\\m.py"
    request = code.asked[-1]
    assert request["arguments"]["source"]["path"] == "C:\\w\\pkg\\m.py"  # theirs, untouched
    code.set("C:\\work\\deep\\x.py", 1)
    assert world.debugpy.sources["/srv/x.py"] == [{"line": 1}]
    code.set("C:\\wide\\x.py", 1)
    assert world.debugpy.sources["C:\\wide\\x.py"] == [{"line": 1}]
    (same,) = lab.set("/srv/app/pkg/m.py", 3)
    assert same["source"]["path"] == "/srv/app/pkg/m.py"
    assert world.debugpy.sources["/srv/app/pkg/m.py"] == [{"line": 3}]
    world.stop(7)
    seq = code.begin("stackTrace", threadId=7)
    paths = ["/srv/app", "/srv/app/m.py", "/srv/other.py", "/usr/x.py", "<string>"]
    frames = [
        {"id": n, "name": "f", "line": 1, "column": 1, "source": {"path": path}}
        for n, path in enumerate(paths)
    ]
    world.debugpy.answer("stackTrace", stackFrames=frames)
    response = code.response(seq)
    assert response is not None
    assert [frame["source"]["path"] for frame in response["body"]["stackFrames"]] == [
        "C:\\w",
        "C:\\w\\m.py",
        "C:\\work\\deep\\other.py",
        "/all/usr/x.py",
        "<string>",
    ]
    module = {"id": 1, "name": "m", "path": "/srv/app/m.py"}
    world.debugpy.event("module", reason="new", module=module)
    assert code.events("module")[0]["module"]["path"] == "C:\\w\\m.py"
    assert lab.events("module")[0]["module"]["path"] == "/srv/app/m.py"
    number = world.debugpy.ids["/srv/app/pkg/m.py"][0]
    body = {"id": number, "verified": True, "line": 4, "source": {"path": "/srv/app/pkg/m.py"}}
    world.debugpy.event("breakpoint", reason="changed", breakpoint=body)
    changed = code.events("breakpoint")[-1]["breakpoint"]
    assert changed["source"]["path"] == "C:\\w\\pkg\\m.py"


def test_a_root_that_is_the_root(world: World) -> None:
    code = world.connect(jupyter=False)
    code.attach(pathMappings=[{"localRoot": "/proj", "remoteRoot": "/"}])
    code.set("/proj", 1)
    code.set("/proj/a.py", 1)
    assert set(world.debugpy.sources) == {"/", "/a.py"}


def test_breakpoints_of_two_notebooks(world: World, lab: Client) -> None:
    """Each panel shows both; taking one away in either takes it away."""
    lab.set(FILE, {"line": 3, "condition": "x"})
    other = world.connect()
    info = other.do("debugInfo")
    (found,) = info["breakpoints"]
    other.set(FILE, *found["breakpoints"], 5)
    assert world.debugpy.sources[FILE] == [{"line": 3, "condition": "decide 1 2"}, {"line": 5}]
    (found,) = lab.do("debugInfo")["breakpoints"]
    assert [one["line"] for one in found["breakpoints"]] == [3, 5]
    lab.set(FILE, 5)
    assert world.debugpy.sources[FILE] == [{"line": 5}]
    assert other.events("breakpoint")[-1]["reason"] == "removed"
    other.do("disconnect")
    world.debugpy.answer_all()
    assert world.debugpy.sources[FILE] == [{"line": 5}]


def test_taking_back_ones_own_is_no_event(world: World, lab: Client) -> None:
    lab.set(FILE, 3)
    lab.do("debugInfo")
    lab.set(FILE, 4)
    assert lab.events("breakpoint") == []


def test_a_place_that_no_code_comes_by_is_not_verified(
    world: World, lab: Client, code: Client
) -> None:
    """debugpy sets a breakpoint there and says that it is, maybe at line 0."""
    world.kernel.unreached[FILE, 1] = "no code"
    seq = lab.begin("setBreakpoints", source={"path": FILE}, breakpoints=[{"line": 1}, {"line": 3}])
    said = [{"id": 7, "verified": True, "line": 0}, {"id": 8, "verified": True, "line": 3}]
    world.debugpy.answer("setBreakpoints", breakpoints=said)
    response = lab.response(seq)
    assert response is not None
    never, good = response["body"]["breakpoints"]
    assert (never["verified"], never["line"], never["message"]) == (False, 1, "no code")
    assert (good["verified"], good["line"]) == (True, 3)
    assert "message" not in good
    assert not code.set(FILE, 1)[0]["verified"]


def test_a_file_whose_lines_are_those_of_cells_is_not_looked_at(world: World, lab: Client) -> None:
    world.kernel.unreached[FILE, 1] = "no code"
    maps = [{"line": 1, "endLine": 9, "runtimeLine": 1, "runtimeSource": {"path": "<cell>"}}]
    lab.do("setPydevdSourceMap", source={"path": FILE}, pydevdSourceMaps=maps)
    assert lab.set(FILE, 1)[0]["verified"]


def test_names_that_no_function_has(world: World, lab: Client) -> None:
    names = ["work", "<lambda>", "module.work", "work()", ""]
    wanted = [{"name": name} for name in names]
    found = lab.do("setFunctionBreakpoints", breakpoints=wanted)["breakpoints"]
    assert [one["verified"] for one in found] == [True, True, False, False, False]
    assert "'module.work' is no name of a function" in found[2]["message"]


def test_nothing_of_a_refused_request_stays(world: World, lab: Client, code: Client) -> None:
    (first,) = code.set(FILE, 3)
    code.do("setFunctionBreakpoints", breakpoints=[{"name": "f"}])
    code.do("setExceptionBreakpoints", filters=["raised"])
    for command, arguments in {
        "setBreakpoints": {"source": {"path": FILE}, "breakpoints": [{"line": 5}]},
        "setFunctionBreakpoints": {"breakpoints": [{"name": "g"}]},
        "setExceptionBreakpoints": {"filters": ["uncaught"]},
    }.items():
        seq = code.begin(command, **arguments)
        world.debugpy.answer(command, why="it cannot")
        response = code.response(seq)
        assert response is not None
        assert (response["success"], response["message"]) == (False, "it cannot")
        assert "breakpoints" not in response["body"]
    world.debugpy.answer_all()
    assert world.debugpy.sources[FILE] == [{"line": 3}]
    assert world.debugpy.functions == [{"name": "f"}]
    assert world.debugpy.exceptions == {"filters": ["raised"]}
    assert world.core.breakpoints.of(code.party.key)[FILE][0].id == first["id"]
    lab.begin("setBreakpoints", source={"path": "\0"}, breakpoints=[{"line": 1}])
    world.debugpy.answer("setBreakpoints", why="it cannot")
    assert lab.do("debugInfo")["breakpoints"] == []


def test_several_that_are_refused(world: World, code: Client) -> None:
    """In whatever order: the last that was not counts."""
    for order, left in (([0, 1], 1), ([1, 0], 1), ([0], 3), ([1], 2)):
        code.set(FILE, 1)
        for line in (2, 3):
            code.begin("setBreakpoints", source={"path": FILE}, breakpoints=[{"line": line}])
        asked = list(world.debugpy.waiting)
        for at in order:
            world.debugpy.waiting.remove(asked[at])
            answer = world.debugpy.response(asked[at], "it cannot")
            world.do(world.core.backend_message, answer)
        world.debugpy.answer_all()
        assert world.debugpy.sources[FILE] == [{"line": left}], order


def test_what_is_refused_after_its_client_has_left(world: World, lab: Client, code: Client) -> None:
    code.set(FILE, 3)
    code.begin("setBreakpoints", source={"path": FILE}, breakpoints=[{"line": 5}])
    world.close(code)
    world.debugpy.answer("setBreakpoints", why="it cannot")
    world.debugpy.answer_all()
    assert world.debugpy.sources[FILE] == []
    assert world.core.breakpoints.paths() == []


def test_a_source_map_that_is_refused(world: World, lab: Client) -> None:
    world.kernel.unreached[FILE, 1] = "no code"
    maps = [{"line": 1, "endLine": 9, "runtimeLine": 1, "runtimeSource": {"path": "\0"}}]
    lab.begin("setPydevdSourceMap", source={"path": FILE}, pydevdSourceMaps=maps)
    world.debugpy.answer("setPydevdSourceMap", why="it cannot")
    assert not lab.set(FILE, 1)[0]["verified"]


def test_a_new_page_is_not_told_the_ids_of_the_one_that_is_gone(world: World, lab: Client) -> None:
    lab.set(FILE, 3)
    world.close(lab, linger=True)
    other = world.connect()
    world.stop(9, world.debugpy.ids[FILE][0])
    assert "hitBreakpointIds" not in other.events("stopped")[-1]
