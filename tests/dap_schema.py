"""Messages against the published schema of the Debug Adapter Protocol, which debugpy carries."""

from __future__ import annotations

import functools
import importlib.util
import json
from pathlib import Path
from typing import Any

from jsonschema import Draft4Validator

Message = dict[str, Any]

# Jupyter's additions, and debugpy's: the schema knows nothing of their bodies.
NOT_IN_DAP = frozenset(
    {
        "copyToGlobals",
        "debugInfo",
        "debugpySystemInfo",
        "dumpCell",
        "inspectVariables",
        "richInspectVariables",
        "setDebuggerProperty",
        "setPydevdSourceMap",
    }
)


@functools.cache
def _schema() -> Message:
    # Without importing debugpy: that changes how this process traces.
    spec = importlib.util.find_spec("debugpy")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    inside = "_vendored/pydevd/_pydevd_bundle/_debug_adapter/debugProtocol.json"
    found: Message = json.loads(Path(spec.submodule_search_locations[0], inside).read_text("utf-8"))
    return found


@functools.cache
def _validator(name: str) -> Draft4Validator:
    return Draft4Validator({**_schema(), "$ref": f"#/definitions/{name}"})


def _definition(message: Message) -> str:
    if message.get("type") == "event":
        name = str(message.get("event"))
        found = f"{name[:1].upper()}{name[1:]}Event"
        return found if found in _schema()["definitions"] else "Event"
    if message.get("type") == "response":
        name = str(message.get("command"))
        if not message.get("success"):
            return "ErrorResponse"
        return "Response" if name in NOT_IN_DAP else f"{name[:1].upper()}{name[1:]}Response"
    return "ProtocolMessage"


def definition(name: str) -> Message:
    """What the schema says of one of its types, with what that adds to others."""
    found: Message = _schema()["definitions"][name]
    merged: Message = {"properties": {}, "required": []}
    for part in found.get("allOf", [found]):
        base = definition(part["$ref"].rpartition("/")[2]) if "$ref" in part else part
        properties = {**merged["properties"], **base.get("properties", {})}
        required = merged["required"] + base.get("required", [])
        merged = {**merged, **base, "properties": properties, "required": required}
    return merged


def check(message: Message) -> Message:
    """The message itself, if it is as the schema wants it; fails otherwise."""
    name = _definition(message)
    assert name in _schema()["definitions"], f"DAP has no {name}"
    errors = [
        f"{'.'.join(map(str, error.absolute_path))}: {error.message}"
        for error in _validator(name).iter_errors(message)
    ]
    assert not errors, (name, errors, message)
    return message
