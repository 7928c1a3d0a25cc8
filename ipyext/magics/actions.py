"""Line magics with sub-commands: one declaration gives parsers, help texts and documentation."""

from __future__ import annotations

import copy
import functools
import re
import shlex
import textwrap
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from IPython.core.error import UsageError
from IPython.core.magic_arguments import magic_arguments

_COMMENT = re.compile(r"(?:^|\s)#")
_HELP = ("--help", "-h")
_Function = TypeVar("_Function", bound=Callable[..., Any])


class Arguments:
    """Decorates a function with `argument` decorators: what arguments there are.

    Attributes:
        parser: made when it is first used, for kernels that start have no time.
    """

    def __init__(self, function: Callable[[str], None]) -> None:
        self._function = function

    @functools.cached_property
    def parser(self) -> Any:
        return magic_arguments()(self._function).parser


@Arguments
def nothing(line: str) -> None:
    """No arguments."""


@dataclass(frozen=True)
class Action:
    """A sub-command. Its texts are Markdown, whose backticks are left out where they are printed.

    Attributes:
        usage: how it is written, after its name.
        help: what it does, without a full stop.
        kind: its arguments.
        more: what its own help says in addition, in sentences.
        example: lines that its own help shows as they are.
        check: looks at the arguments once more, given the usage, and completes them.
        raw: takes the rest of the line as it is, and the usage, in place of `kind`.
    """

    usage: str
    help: str
    kind: Arguments = nothing
    more: str = ""
    example: str = ""
    check: Callable[[Namespace, str], None] | None = None
    raw: Callable[[str, str], Namespace] | None = None

    @property
    def sentences(self) -> str:
        """All that is said about it."""
        return f"{self.help[0].upper()}{self.help[1:]}. {self.more}".rstrip()

    def arguments(self) -> Iterator[tuple[str, str]]:
        """Its arguments and what each is."""
        # argparse has no public way to list them.
        for one in self.kind.parser._actions:  # noqa: SLF001
            shown = ", ".join(one.option_strings)
            yield " ".join(filter(None, [shown, one.metavar])) or one.dest, one.help

    def described(self, usage: str) -> str:
        """Its own help."""
        parts = [usage, textwrap.fill(plain(self.sentences), 88)]
        if self.example:
            parts.append(self.example)
        arguments = [f"  {name:16} {text}" for name, text in self.arguments()]
        if arguments:
            parts.append("\n".join(arguments))
        return "\n\n".join(parts) + "\n"


class Declared:
    """A line magic with sub-commands.

    Attributes:
        name: of the magic, with its percent sign.
        title: what it is about.
        actions: by name.
        default: the action of a line without one.
        end: what the overview says at its end.
    """

    def __init__(
        self, name: str, title: str, actions: dict[str, Action], default: str, end: str
    ) -> None:
        self.name, self.title, self.actions = name, title, actions
        self.default, self.end = default, end

    def usage(self, action: str) -> str:
        """How a line with that action is written."""
        return f"{self.name} {action} {self.actions[action].usage}".rstrip()

    def overview(self) -> str:
        """What ``NAME --help`` and ``NAME?`` say."""
        lines = [self.title, "", f"{self.name:31} the same as {self.usage(self.default)}"]
        for name, action in self.actions.items():
            usage = self.usage(name)
            if len(usage) > 31:
                lines.append(usage)
                usage = ""
            lines.append(f"{usage:31} {plain(action.help)}")
        more = f"{self.name} ACTION --help says more about one of them."
        return "\n".join([*lines, "", more, "", self.end])

    def help_of(self, action: str) -> str:
        """What ``NAME ACTION --help`` and ``NAME help ACTION`` say."""
        return self.actions[action].described(self.usage(action))

    def parse(self, line: str) -> tuple[str, Namespace]:
        """The action and its arguments; ``help`` in them is what to print instead, or None.

        Raises:
            UsageError: the line does not fit; the message says what would.
        """
        name, rest = [*line.split(maxsplit=1), "", ""][:2]
        rest = rest.strip()
        if name in (*_HELP, "help"):
            about = without_comment(rest)
            text = self.help_of(self._known(about)) if about else self.overview()
            return "help", Namespace(help=text)
        if not without_comment(name):
            name, rest = self.default, ""
        action = self.actions[self._known(name)]
        usage = f"Usage: {self.usage(name)}"
        words = [rest] if action.raw else without_comment(rest).split()
        if any(word in _HELP for word in words):
            return name, Namespace(help=self.help_of(name))
        if action.raw:
            found = action.raw(rest, usage)
        else:
            found = parsed(action.kind, rest, f"{self.name} {line.strip()}", usage)
        if action.check is not None:
            action.check(found, usage)
        found.help = None
        return name, found

    def _known(self, name: str) -> str:
        if name in self.actions:
            return name
        import difflib  # nearly nobody needs it

        near = difflib.get_close_matches(name, self.actions, 1)
        hint = f"Did you mean '{near[0]}'? " if near else ""
        raise UsageError(
            f"{self.name} has no action {name!r}. {hint}"
            f"Actions: {', '.join(self.actions)}. See {self.name}?"
        )


def plain(text: str) -> str:
    """Markdown as it is printed."""
    return text.replace("`", "")


def without_comment(text: str) -> str:
    """The text but for a comment at its end."""
    comment = _COMMENT.search(text)
    return (text if comment is None else text[: comment.start()]).strip()


def parsed(kind: Arguments, text: str, line: str, hint: str) -> Namespace:
    """The arguments in `text`, but for a comment at its end.

    Args:
        kind: its arguments.
        text: what there is to parse.
        line: the line that it comes from, for the message.
        hint: what is said at the end of the message.

    Raises:
        UsageError: it does not fit.
    """
    try:
        # Options may stand between names, which parse_argstring does not allow. A copy, for
        # the parser changes while it does that, and several threads may be at it.
        parser = copy.deepcopy(kind.parser)
        found = parser.parse_intermixed_args(shlex.split(without_comment(text), posix=False))
    except (UsageError, ValueError) as error:  # ValueError: an unfinished quotation
        raise UsageError(f"{line}: {error}. {hint}") from None
    assert isinstance(found, Namespace)
    return found


def documented(text: str) -> Callable[[_Function], _Function]:
    """Gives a method its docstring, which is what ``NAME?`` shows."""

    def give(function: _Function) -> _Function:
        function.__doc__ = text
        return function

    return give
