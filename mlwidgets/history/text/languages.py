"""Languages of notebooks: how a file of theirs is called, how a comment begins and ends.

Suffixes and signs are those of Jupytext, so that it reads the texts; SQL, which it does not know, is added.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Language:
    """What a text in some language needs.

    Parameters
    ----------
    name
        As Jupytext calls it.
    suffix
        Of the file, with the dot.
    comment, end
        What stands before and behind a line that is commented out.
    """

    name: str
    suffix: str
    comment: str = "#"
    end: str = ""

    def commented(self, lines: list[str]) -> list[str]:
        """Return the lines commented out."""
        end = f" {self.end}" if self.end else ""
        return [f"{self.comment} {line}{end}" if line else f"{self.comment}{end}" for line in lines]

    def uncommented(self, lines: list[str]) -> list[str]:
        """Return lines that were commented out as they were; others as they are."""
        begin, end = f"{self.comment} ", f" {self.end}"
        lines = [line.removeprefix(begin if line.startswith(begin) else self.comment) for line in lines]
        if self.end:
            lines = [line.removesuffix(end if line.endswith(end) else self.end) for line in lines]
        return lines


_WITH_HASH = {
    "python": ".py", "coconut": ".coco", "r": ".R", "julia": ".jl", "bash": ".sh", "powershell": ".ps1",
    "robotframework": ".robot", "sos": ".sos", "sage": ".sage", "tcl": ".tcl", "gnuplot": ".gp", "xonsh": ".xsh",
}  # fmt: skip
_OTHERS = {
    "c++": (".cpp", "//"), "scheme": (".scm", ";;"), "clojure": (".clj", ";;"), "q": (".q", "/"), "matlab": (".m", "%"),
    "wolfram language": (".wolfram", "(*", "*)"), "idl": (".pro", ";"), "javascript": (".js", "//"),
    "typescript": (".ts", "//"), "scala": (".scala", "//"), "rust": (".rs", "//"), "csharp": (".cs", "//"),
    "fsharp": (".fsx", "//"), "java": (".java", "//"), "groovy": (".groovy", "//"), "ocaml": (".ml", "(*", "*)"),
    "haskell": (".hs", "--"), "maxima": (".mac", "/*", "*/"), "stata": (".do", "//"), "sas": (".sas", "/*", "*/"),
    "logtalk": (".lgt", "%"), "lua": (".lua", "--"), "go": (".go", "//"), "sql": (".sql", "--"),
}  # fmt: skip
_ALIASES = {"octave": "matlab"}

LANGUAGES = {name: Language("R" if name == "r" else name, suffix) for name, suffix in _WITH_HASH.items()} | {
    name: Language(name, *signs) for name, signs in _OTHERS.items()
}

MAGICS = frozenset(
    {
        *("R", "bash", "sh", "python", "python2", "python3", "coconut", "javascript", "js", "perl", "html", "latex"),
        *("markdown", "pypy", "ruby", "script", "svg", "matlab", "octave", "idl", "robotframework", "sas", "spark"),
        *("sql", "cython", "haskell", "tcl", "gnuplot", "wolfram language", "c#", "f#", "cs", "fs", "jenner"),
        *(set(LANGUAGES) - {"r"}),
    }
)
"""Names of cell magics that say in which language the cell is."""


def language_of(name: str) -> Language:
    """Return what is known of a language; of an unknown one, that its comments begin with ``#``."""
    name = name.lower()
    return LANGUAGES.get(_ALIASES.get(name, name)) or Language(name, ".txt")
