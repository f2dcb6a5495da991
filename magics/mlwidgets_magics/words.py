"""A magic's line into words, and words into options."""

from __future__ import annotations

import argparse
import difflib
import inspect
import re
from collections.abc import Callable, Container, Iterable, Iterator
from typing import Any, NoReturn

from IPython.core.error import UsageError

from mlwidgets.runs.spec import parse_literal

HELP = frozenset({"--help", "-h", "help"})
"""Words that ask what a magic does."""
_BARE = re.compile(r"[A-Za-z_][\w./:+-]*")
_PARAM = re.compile(r"([^\W\d]\w*)=(.*)", re.DOTALL)
_OTHER_LANGUAGES = {"true": "True", "false": "False", "null": "None", "none": "None"}
_CLOSING = {"(": ")", "[": "]", "{": "}"}


class LineParser(argparse.ArgumentParser):
    """An argument parser whose errors are one line in the notebook."""

    def parse_intermixed_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Read the words; what is no option is named alone, without the words behind it."""
        found, unknown = self.parse_known_intermixed_args(args, namespace)
        if unknown:
            name = next((text for text in unknown if text.startswith("-")), unknown[0]).partition("=")[0]
            close = difflib.get_close_matches(name, self._option_string_actions, n=1, cutoff=0.6)
            self.error(f"there is no option {name}" + (f"; did you mean {close[0]}?" if close else ""))
        return found

    def error(self, message: str) -> NoReturn:
        """Raise UsageError."""
        end = "" if message.endswith("?") else ";"
        raise UsageError(f"{self.prog}: {message}{end} {self.prog} --help lists the options")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """Raise UsageError; a magic cannot end the process."""
        raise UsageError(message or "")


def help_of(magic: Callable[..., object]) -> str:
    """Return what a magic's documentation says."""
    return inspect.cleandoc(magic.__doc__ or "")


def split_words(line: str) -> list[str]:
    """Split a line at spaces that are neither quoted nor inside brackets; quotes around a whole word go.

    Raises
    ------
    UsageError
        If a quote or bracket is not closed.
    """
    words: list[str] = []
    word, quote, closing = "", "", ""
    started = escaped = False
    for char in line:
        if quote:
            word += char
            quote = "" if char == quote and not escaped else quote
            escaped = char == "\\" and not escaped
        elif char in "\"'":
            quote, word, started = char, word + char, True
        elif char.isspace() and not closing:
            if started:
                words.append(word)
            word, started = "", False
        else:
            word, started = word + char, True
            if char in _CLOSING:
                closing = _CLOSING[char] + closing
            elif closing and char == closing[0]:
                closing = closing[1:]
    if quote or closing:
        raise UsageError(f"{quote or closing[0]!s} is not closed in: {line}")
    if started:
        words.append(word)
    return [unquote(w) for w in words]


def unquote(word: str) -> str:
    """Return a word without the quotes around it."""
    if len(word) < 2 or word[0] != word[-1] or word[0] not in "\"'":
        return word
    return word[1:-1].replace(f"\\{word[0]}", word[0])


def is_param(word: str) -> bool:
    """Whether a word is ``name=value``."""
    return _PARAM.fullmatch(word) is not None


def read_params(words: list[str], taken: Container[str] = ()) -> dict[str, Any]:
    """Read ``name=value`` words; a value is a Python literal, or a bare word that stands for itself as text.

    Parameters
    ----------
    taken
        Names of the notebook: such a bare word may be meant as text or as the name, so it is refused.

    Raises
    ------
    UsageError
        If a value is neither, or a name comes twice.
    """
    params: dict[str, Any] = {}
    for word in words:
        match = _PARAM.fullmatch(word)
        if match is None:
            raise UsageError(f"{word!r} is no parameter: write name=value")
        name, text = match[1], match[2]
        if text.endswith(","):
            raise UsageError(f"parameter {word!r} ends with a comma: parameters are separated by spaces")
        if text.lower() in _OTHER_LANGUAGES and text not in _OTHER_LANGUAGES.values():
            right = _OTHER_LANGUAGES[text.lower()]
            raise UsageError(f"parameter {name}={text}: write {name}={right}, or {name}={text!r} for the text")
        if text in taken:
            raise UsageError(
                f"parameter {name}={text}: for the value of the notebook's `{text}` write {name}={{{text}}}, "
                f"for the text {name}={text!r}"
            )
        if name in params:
            raise UsageError(f"parameter {name!r} is given twice")
        try:
            params[name] = parse_literal(text)
        except ValueError:
            if not _BARE.fullmatch(text):
                raise UsageError(
                    f"parameter {name}={text}: the value is no Python literal; for a text write {name}={text!r}"
                ) from None
            params[name] = text
    return params


def refuse_names(param: str, words: Iterable[str], taken: Container[str]) -> None:
    """Refuse bare words among the values of a search that may be meant as text or as names of the notebook.

    Raises
    ------
    UsageError
        If one is such a name.
    """
    for text in words:
        if text in taken:
            raise UsageError(
                f"parameter {param}: for the value of the notebook's `{text}` write {{{text}}}, for the text {text!r}"
            )


def read_tags(words: list[str]) -> dict[str, str]:
    """Read ``key=value`` words as text.

    Raises
    ------
    UsageError
        If one has no ``=``.
    """
    tags: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise UsageError(f"--tag {word}: write --tag key=value")
        tags[key] = unquote(value)
    return tags


def split_names(texts: list[str]) -> Iterator[str]:
    """Yield names from comma-separated words.

    Raises
    ------
    UsageError
        If one is no Python name.
    """
    for text in texts:
        for name in text.split(","):
            if not name.strip().isidentifier():
                raise UsageError(f"{name.strip()!r} is no Python name; write for instance: -o model,history")
            yield name.strip()
