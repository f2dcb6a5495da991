"""Magics in a text: commented out, so that the text is code in its language; the rules are Jupytext's."""

from __future__ import annotations

import re
from functools import cache

from mlwidgets.history.text.languages import Language
from mlwidgets.history.text.quotes import Quotes

_COMMANDS = "cat|cd|cp|mv|rm|rmdir|mkdir|copy|ddir|echo|ls|ldir|ren"
_PYTHON = tuple(
    re.compile(pattern)
    for pattern in (
        r"^\s*(?:(?:# |#)+\s*)?(\?|!)\s*[A-Za-z\.\~\$\\\/\{\}]",
        r"^(# |#)*\s*([a-zA-Z_][a-zA-Z_$0-9]*)\s*=\s*(%|%%|%%%|!)[a-zA-Z](.*)",
        r"^\s*(# )*[^\s]*\?\s*$",
        rf"^(# |#)*({_COMMANDS})($|\s$|\s[^=,])",
    )
)
_COMMAND = re.compile(rf"^(?:# |#)*(?:{_COMMANDS})(?:\s|$)", re.MULTILINE)
_CONTINUED = re.compile(r".*\\\s*$")
_WITHOUT_MAGICS = {"matlab", "sas", "logtalk", "sql"}


@cache
def _patterns(language: Language) -> tuple[re.Pattern[str], ...]:
    """Return what a magic looks like, one that is always and one that is never commented out."""
    sign = re.escape(language.comment)
    begin = {
        "rust": f"^({sign} |{sign})*:[a-zA-Z]",
        "csharp": f"^({sign} |{sign})*#![a-zA-Z]",
        "go": f"^({sign} |{sign})*(!|!\\*|%|%%|%%%)[a-zA-Z]",
    }.get(language.name, rf"^\s*({sign} |{sign})*(%|%%|%%%)[a-zA-Z]")
    percent = rf"^\s*({sign} |{sign})*(%|%%|%%%)[a-zA-Z]"
    return (
        re.compile(begin),
        re.compile(rf"{percent}(.*){sign}\s*escape"),
        re.compile(rf"{percent}(.*){sign}\s*noescape"),
    )


def may_hold_magics(source: str, language: Language) -> bool:
    """Return False where no line of `source` is a magic: the answer for most cells, at the price of one look."""
    if language.name in _WITHOUT_MAGICS:
        return False
    if language.name == "python":
        return any(sign in source for sign in "%!?") or _COMMAND.search(source) is not None
    return any(sign in source for sign in "%!:#")


def is_magic(line: str, language: Language) -> bool:
    """Return whether a line of a code cell is a magic, or one that is commented out."""
    if not may_hold_magics(line, language):
        return False
    magic, always, never = _patterns(language)
    if always.match(line):
        return True
    if never.match(line):
        return False
    if magic.match(line):
        return True
    return language.name == "python" and any(pattern.match(line) for pattern in _PYTHON)


def _uncommented(line: str, comment: str) -> str:
    code = line.lstrip()
    indent = line[: len(line) - len(code)]
    if code.startswith(f"{comment} "):
        return indent + code[len(comment) + 1 :]
    return indent + code.removeprefix(comment)


def comment_magics(lines: list[str], language: Language) -> list[str]:
    """Return the lines of a code cell with its magics commented out."""
    quotes, continued, text = Quotes(language), False, []
    for line in lines:
        if quotes.open is None and (continued or is_magic(line, language)):
            code = line if continued else line.lstrip()
            text.append(f"{line[: len(line) - len(code)]}{language.comment} {code}")
            continued = language.name == "python" and _CONTINUED.match(line) is not None
        else:
            text.append(line)
        quotes.read(line)
    return text


def uncomment_magics(text: list[str], language: Language) -> list[str]:
    """Return what `comment_magics` was given, for most of what it may be given: see there where it is not."""
    quotes, continued, lines = Quotes(language), False, []
    for line in text:
        if quotes.open is None and (continued or is_magic(line, language)):
            lines.append(_uncommented(line, language.comment))
            continued = language.name == "python" and _CONTINUED.match(line) is not None
        else:
            lines.append(line)
        quotes.read(line)
    return lines
