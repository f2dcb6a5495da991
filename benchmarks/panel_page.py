"""What the panel's figure measures in a browser: rows that appear, filtering, sorting, and news of a run."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

from benchmarks.lab import chromium
from benchmarks.measure import Figure, Row, Spread, Target, at_most, number

_FIRST = """
new MutationObserver((_, observer) => {
    if (!document.querySelector('.mlw-row')) return;
    window.firstRow = performance.now();
    observer.disconnect();
}).observe(document, { childList: true, subtree: true });
"""
_UNTIL = """
async ([act, done]) => {
    const begin = performance.now();
    new Function(act)();
    const over = new Function(`return ${done}`);
    while (!over()) await new Promise(requestAnimationFrame);
    return performance.now() - begin;
}
"""
_WATCH = """
(name) => {
    window.seen = new Map();
    const value = document.querySelector(`.mlw-row[aria-label^="${name},"] .mlw-row-value`);
    const look = () => {
        const at = performance.timeOrigin + performance.now();
        if (!window.seen.has(value.textContent)) window.seen.set(value.textContent, at);
    };
    new MutationObserver(look).observe(value, { childList: true, characterData: true, subtree: true });
}
"""
_COUNT = "document.querySelector('.mlw-orders .mlw-count').textContent"


def watch_page(figure: Figure, address: str, log: Callable[..., None], name: str, rounds: int) -> None:
    """Add the rows and targets of the page at an address; `log` logs metrics of the run of that name, which goes on.

    Raises
    ------
    NotInstalledError
        If there is no browser.
    """
    with chromium() as browser:
        first = []
        for _ in range(5):
            page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
            page.set_default_timeout(120_000)
            page.add_init_script(_FIRST)
            page.goto(address)
            first.append(page.wait_for_function("() => window.firstRow").json_value())
            if len(first) < 5:
                page.context.close()
        figure.rows.append(Row("first rows in a browser, the page's own load included", "ms", Spread.of(first)))
        page.wait_for_function(f"() => /^[\\d,.]+$/.test({_COUNT})")
        filtered = [_filter(page, text) for text in ("run-7", "run-1", "lr=0.1", "run-4", "") * 4]
        ordered = [_sort(page, key) for key in ("name", "param:lr", "submitted") * 6]
        for title, measured in (("filter", filtered), ("sort", ordered)):
            spread = Spread.of(measured)
            figure.rows.append(Row(f"{title}, until the rows are drawn", "ms", spread))
            figure.targets.append(at_most(f"{title} within 50 ms", 50, "ms", spread))
        _news(figure, page, log, name, rounds)


def _filter(page: Any, text: str) -> float:
    set_value = f"const field = document.querySelector('.mlw-search input'); field.value = {text!r};"
    act = f"{set_value} window.before = {_COUNT}; field.dispatchEvent(new Event('input', {{ bubbles: true }}));"
    return float(page.evaluate(_UNTIL, [act, f"{_COUNT} !== window.before"]))


def _sort(page: Any, key: str) -> float:
    top = "document.querySelector('.mlw-row[aria-rowindex=\"1\"]')?.ariaLabel"
    select = "const select = document.querySelector('.mlw-orders select');"
    act = f"window.before = {top}; {select} select.value = {key!r}; "
    act += "select.dispatchEvent(new Event('change', { bubbles: true }));"
    return float(page.evaluate(_UNTIL, [act, f"{top} !== window.before"]))


def _news(figure: Figure, page: Any, log: Callable[..., None], name: str, rounds: int) -> None:
    page.evaluate(_WATCH, name)
    delays = []
    for turn in range(rounds):
        time.sleep(random.uniform(0.25, 0.55))
        before, value = time.time() * 1e3, 1000 + turn
        log(loss=float(value))
        seen = page.wait_for_function(
            "(value) => [...window.seen].find(([text]) => Number(text.replaceAll(',', '')) === value)?.[1]", arg=value
        )
        delays.append(seen.json_value() - before)
    p95 = sorted(delays)[int(0.95 * (len(delays) - 1))]
    figure.rows.append(Row("append to the row in a browser", "ms", Spread.of(delays), note=f"p95 {number(p95)} ms"))
    figure.targets.append(Target("append to the row in a browser within 200 ms (p95)", f"{number(p95)} ms", p95 <= 200))
