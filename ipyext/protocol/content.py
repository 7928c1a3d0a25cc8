"""What a request's content must hold, and how a request is refused.

Source: jupyter_client's messaging document; JEP 91 for the subshell requests.
"""

from __future__ import annotations

from typing import Any

Content = dict[str, Any]

# Fields that the handlers of every ipykernel read without asking whether they are there.
_REQUIRED: dict[str, tuple[tuple[str, type], ...]] = {
    "execute_request": (("code", str),),
    "complete_request": (("code", str), ("cursor_pos", int)),
    "inspect_request": (("code", str), ("cursor_pos", int)),
    "is_complete_request": (("code", str),),
    "history_request": (("hist_access_type", str),),
    "delete_subshell_request": (("subshell_id", str),),
}

# Fields that may be left out, or be null, but nothing else than this.
_OPTIONAL: dict[str, tuple[tuple[str, type], ...]] = {
    "create_subshell_request": (("name", str),),
    "interrupt_request": (("subshell_id", str),),
    "output_request": (("msg_id", str), ("subshell_id", str), ("since", float)),
}

_DEFAULTS: dict[str, Content] = {
    # ipykernel 5 and 6.17 insist on `silent`; the messaging document does not.
    "execute_request": {"silent": False},
    "history_request": {"output": False, "raw": True},
    "shutdown_request": {"restart": False},
}

_TYPES = {str: "a string", int: "an integer", float: "a number", dict: "an object"}


def problem(msg_type: str, content: Any) -> str | None:
    """Why the content cannot be handled, in words for a client's author; None if it can."""
    if not isinstance(content, dict):
        return f"the content of {msg_type} must be an object"
    for field, kind in _REQUIRED.get(msg_type, ()):
        if field not in content:
            return f"{msg_type} needs a field {field!r} in its content"
        if not _is(content[field], kind):
            return f"field {field!r} of {msg_type} must be {_TYPES[kind]}"
    for field, kind in _OPTIONAL.get(msg_type, ()):
        if content.get(field) is not None and not _is(content[field], kind):
            return f"field {field!r} of {msg_type} must be {_TYPES[kind]}, if it is given"
    return None


def _is(value: Any, kind: type) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, (int, float) if kind is float else kind)


def complete(msg_type: str, content: Content) -> Content:
    """The content with the defaults that the messaging document gives."""
    return {**_DEFAULTS.get(msg_type, {}), **content}


def is_request(msg_type: str) -> bool:
    """Whether a message of this type is owed a reply."""
    return msg_type.endswith("_request")


def reply_type(msg_type: str) -> str:
    """The type of the reply to a request."""
    return msg_type.removesuffix("_request") + "_reply"


def error(ename: str, evalue: str, traceback: list[str] | None = None) -> Content:
    """The content of an error reply, with every field that the messaging document names."""
    shown = [f"{ename}: {evalue}"] if traceback is None else traceback
    return {"status": "error", "ename": ename, "evalue": evalue, "traceback": shown}
