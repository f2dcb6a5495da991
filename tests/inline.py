"""The same cell twice, under ``%%train`` and inline in the kernel: what it printed and showed, to be compared."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass, field
from typing import Any

from tests.notebook import CellError, Notebook

_ADDRESS = re.compile(r"0x[0-9a-f]{8,}\b")
_COUNT = re.compile(r"In\[\d+\]")
# Looked for where a word begins alone: a picture is a single word of many thousand letters.
_CELL_FILE = re.compile(r"(?<!\S)\S*(?:(?:ipykernel|mlwidgets)_\d+/\w+\.py)")


@dataclass
class Seen:
    """What a cell has on show at its end: text without what was cleared, and displays with updates applied."""

    text: str = ""
    shown: list[dict[str, Any]] = field(default_factory=list)
    error: str = ""


def inline(nb: Notebook, code: str, *, fails: bool = False) -> Seen:
    """Execute a cell in the kernel and collect what a notebook would have on show."""
    seen, ids, waiting = Seen(), [], False

    def collect(message: dict[str, Any]) -> None:
        nonlocal waiting
        kind, content = message["msg_type"], message["content"]
        shows = kind in {"stream", "display_data", "execute_result", "error"}
        if (kind == "clear_output" and not content["wait"]) or (shows and waiting):
            seen.text, waiting = "", False
            seen.shown.clear()
            ids.clear()
        elif kind == "clear_output":
            waiting = True
        display_id = content.get("transient", {}).get("display_id")
        if kind == "stream":
            seen.text += content["text"]
        elif kind in {"display_data", "execute_result"}:
            seen.shown.append(content["data"])
            ids.append(display_id)
        elif kind == "update_display_data":
            for place, known in enumerate(ids):
                if known == display_id:
                    seen.shown[place] = content["data"]
        elif kind == "error":
            seen.error = "\n".join(content["traceback"])

    code = textwrap.dedent(code).strip("\n")
    done = nb._client.execute_interactive(code, output_hook=collect, timeout=120, store_history=True)
    if (done["content"]["status"] != "ok") != fails:
        raise CellError(f"{code}\n--> {done['content']['status']}\n{seen.text}\n{seen.error}")
    return seen


def tracked(nb: Notebook, code: str, line: str = "job", *, state: str = "finished") -> Seen:
    """Execute the same cell as a run."""
    nb.train(line, code, state=state)
    name = line.split()[0]
    text, shown, error = nb.value(f"({name}.output_tail(10**9), [d.data for d in {name}.displays()], {name}.error)")
    return Seen(text, shown, error or "")


def both(nb: Notebook, code: str, line: str = "job", *, fails: bool = False) -> tuple[Seen, Seen]:
    """Execute a cell as a run, then inline; return (as a run, inline), file names and addresses made equal."""
    code = textwrap.dedent(code).strip("\n")
    run = tracked(nb, code, line, state="failed" if fails else "finished")
    # The magic is line 1 of the cell: a comment stands for it, unless a cell magic has to come first.
    here = inline(nb, code if code.startswith("%%") else f"# %%train {line}\n{code}", fails=fails)
    return _plain(run), _plain(here)


def same(nb: Notebook, code: str, line: str = "job", *, fails: bool = False) -> Seen:
    """Execute a cell as a run and inline; return what both gave, which has to be the same."""
    run, here = both(nb, code, line, fails=fails)
    for part in ("text", "shown", "error"):
        one, other = getattr(run, part), getattr(here, part)
        if one != other:
            raise AssertionError(f"{part} differs\n as a run: {one!r:.3000}\n inline:   {other!r:.3000}")
    return run


def _plain(seen: Seen) -> Seen:
    def clean(value: Any) -> Any:
        if isinstance(value, str):
            return _CELL_FILE.sub("CELL", _COUNT.sub("In[n]", _ADDRESS.sub("0x", value)))
        return {k: clean(v) for k, v in value.items()} if isinstance(value, dict) else value

    return Seen(clean(seen.text), [clean(s) for s in seen.shown], clean(seen.error))
