"""The page of a report in a real browser without a network: nothing is asked for, everything can be read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from nbformat.v4 import new_markdown_cell, new_notebook

from mlwidgets.reports import pdf
from mlwidgets.reports.page.about import About, Check
from mlwidgets.reports.page.making import export
from mlwidgets.views.static import bundle
from tests.browser.test_live_view import look
from tests.unit.report_support import PNG, code, printed, shown
from tests.unit.test_report_hostile import HOSTILE
from tests.unit.views_support import make_run

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

AXE = Path(__file__).resolve().parents[2] / "node_modules" / "axe-core" / "axe.min.js"
AUDIT = """() => {
    const found = [];
    const seen = (e) => e.checkVisibility({ checkVisibilityCSS: true }) && e.getClientRects().length > 0;
    const name = (e) => `${e.tagName}.${e.className} ${(e.textContent || '').trim().slice(0, 40)}`;
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    canvas.canvas.width = canvas.canvas.height = 1;
    const rgba = (c) => {
        canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = c; canvas.fillRect(0, 0, 1, 1);
        const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
        return [r, g, b, a / 255];
    };
    const light = (c) => {
        const [r, g, b] = c.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = (e) => {
        const layers = [];
        for (let at = e; at; at = at.parentElement) {
            const c = rgba(getComputedStyle(at).backgroundColor);
            if (c[3] > 0) layers.push(c);
            if (c[3] === 1) break;
        }
        let under = [255, 255, 255];
        for (const c of layers.reverse()) under = under.map((v, i) => v * (1 - c[3]) + c[i] * c[3]);
        return under;
    };
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    let texts = 0;
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const e = node.parentElement;
        if (!node.data.trim() || !seen(e)) continue;
        texts += 1;
        const style = getComputedStyle(e);
        const [a, b] = [light(rgba(style.color)), light(ground(e))].sort((x, y) => y - x);
        const size = parseFloat(style.fontSize);
        const least = size >= 24 || (size >= 18.6 && parseInt(style.fontWeight) >= 700) ? 3 : 4.5;
        if ((a + 0.05) / (b + 0.05) < least) found.push(`contrast ${((a + 0.05) / (b + 0.05)).toFixed(2)}: ${name(e)}`);
    }
    if (texts < 40) found.push(`only ${texts} texts were looked at`);
    let level = 0;
    for (const e of document.querySelectorAll('h1,h2,h3,h4,h5,h6')) {
        const next = Number(e.tagName[1]);
        if (next > level + 1) found.push(`heading skips a level: ${name(e)}`);
        if (!e.textContent.trim()) found.push('an empty heading');
        level = next;
    }
    for (const e of document.images) {
        if (!e.alt.trim()) found.push('a picture without words');
        if (!e.complete || !e.naturalWidth) found.push(`a picture that cannot be drawn: ${e.alt}`);
    }
    for (const e of document.querySelectorAll('a[href], summary')) {
        if (seen(e) && !e.textContent.trim() && !e.querySelector('img')) found.push(`no words: ${e.outerHTML}`);
    }
    for (const e of document.querySelectorAll('nav, section, dl')) {
        if (!e.getAttribute('aria-label')) found.push(`no name: ${name(e)}`);
    }
    for (const e of document.querySelectorAll('*')) {
        const scrolls = /auto|scroll/.test(getComputedStyle(e).overflowX) && e.scrollWidth > e.clientWidth + 1;
        const reached = e.tabIndex >= 0 || e.querySelector('[tabindex], a');
        if (scrolls && seen(e) && !reached) found.push(`no keyboard reaches: ${name(e)}`);
        if (e.id && document.querySelectorAll(`[id="${CSS.escape(e.id)}"]`).length > 1) found.push(`id twice: ${e.id}`);
    }
    for (const e of document.querySelectorAll('a[href^="#"]')) {
        if (!document.getElementById(decodeURIComponent(e.hash.slice(1)))) found.push(`leads nowhere: ${e.outerHTML}`);
    }
    for (const e of document.querySelectorAll('th')) if (!e.scope) found.push(`no scope: ${name(e)}`);
    return found;
}"""


def everything(folder: Path) -> str:
    """A page with one of each."""
    run = make_run(
        folder,
        state="failed",
        params={"lr": 0.1, "epochs": 20},
        tags={"kind": "baseline"},
        metrics={"loss": [1.0, 0.5, 0.3], "accuracy": [0.1, 0.6, 0.9]},
        output="epoch 1\n\x1b[33mslow\x1b[0m\n" * 40,
        cause="ValueError: it broke",
        traceback=["\x1b[31mValueError\x1b[0m: it broke"],
    )
    table = (
        "<table class=dataframe><thead><tr><th>"
        + "</th><th>".join(f"column_{n}" for n in range(30))
        + "</th></tr></thead>"
    )
    row = "<tr><th>0</th><td>" + "</td><td>".join("0.123456" for _ in range(29)) + "</td></tr>"
    long_word = "w" * 300
    prose = (
        "## Results\n\nWords with **weight**, `code`, a [link](https://example.org/a/very/long/address), $x^2$.\n\n"
        "> A quotation.\n\n"
        "- [x] done\n- [ ] open\n\n| a | b |\n|---|--:|\n| x | 1 |\n\n$$\\sum_{i=1}^N \\frac{a_i}{b_i}"
        + "+x"
        * 80
        + f"$$\n\n```python\ndef f(x):  # square\n    return 'text', 1.5, None\n```\n\n{long_word}\n\n"
        '<div class="alert alert-info">Information</div>\n\n### Detail\n\nMore.'
    )
    ansi = "".join(f"\x1b[{n}mcolour {n}\x1b[0m " for n in [*range(30, 38), *range(40, 48), *range(90, 98), 2, 7, 1])
    ansi += "".join(f"\x1b[38;5;{n}m{n}\x1b[0m " for n in range(16, 256, 9))
    svg = "<svg xmlns='http://www.w3.org/2000/svg' width='400' height='90'><path d='M0 0H300V90H0' fill='navy'/></svg>"
    cells = [
        new_markdown_cell("# A report with everything\n\n" + "The first words of it. " * 12),
        new_markdown_cell(prose),
        code("df", shown({"text/html": f"{table}{row * 3}</table>"})),
        code("print()", printed(ansi + "\n" + "word " * 80 + "\n" + "line\n" * 60), printed("a warning\n", "stderr")),
        code("#| fig-cap: Bars\nplot()", shown({"image/svg+xml": svg})),
        code("plot()", shown({"image/png": PNG})),
        code("%%train", shown(bundle(run))),
        code(
            "class A(B):\n    x: int = 0x1F\n\n    @property\n    def y(self): pass",
            tags=("show-input",),
        ),
        code("1", shown({"application/json": {"a": 1}}), shown({"application/vnd.plotly.v1+json": {}})),
        code("1", shown({"application/vnd.mlwidgets.check+json": {"text": "holds", "passed": False, "detail": "not"}})),
        new_markdown_cell("## The end\n\nLast words. [Back](#Results)"),
    ]
    error = {"output_type": "error", "ename": "ValueError", "evalue": "it broke", "traceback": ["\x1b[31mline\x1b[0m"]}
    cells[3]["outputs"].append(error)
    about = About(
        notebook="everything.ipynb", params={f"parameter_{n}": "value" * n for n in range(12)}, duration=75,
        commit="ec3fba4 on main", edition="20261121-1905", author="Ada", banner="Stale since Friday.",
        checks=[Check("accuracy above 90 %", True, "93.1 %"), Check("fresh", False, "3 days old")],
        links=[("PDF", "everything.pdf")],
    )  # fmt: skip
    return export(new_notebook(cells=cells), about)


def violations(page: Page) -> list[str]:
    """Return what axe finds that keeps people from reading a page, with the first place of each."""
    # Evaluated, not loaded: the page's own policy lets no script in.
    page.evaluate(AXE.read_text(encoding="utf-8") + "; null")
    found: list[dict[str, Any]] = page.evaluate("async () => (await axe.run()).violations")
    assert page.evaluate("async () => (await axe.run()).passes.length") > 10
    return [
        f"{one['id']}: {one['help']}: {one['nodes'][0]['html'][:200]} {one['nodes'][0]['failureSummary']}"
        for one in found
        if one["impact"] in {"serious", "critical"}
    ]


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    path = folder / "everything.html"
    path.write_text(everything(folder / "runs"), encoding="utf-8")
    return path


@pytest.fixture
def heard(browser: Browser, request: pytest.FixtureRequest) -> Iterator[tuple[Page, list[str]]]:
    """A page without a network, and whatever it asked for or complained of."""
    context = browser.new_context(offline=True, viewport={"width": 1280, "height": 900})
    page, said = context.new_page(), []
    page.on("console", lambda message: said.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: said.append(f"error: {error}"))
    page.on("dialog", lambda dialog: (said.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.on("popup", lambda popup: said.append(f"popup: {popup.url}"))
    page.on("request", lambda asked: said.append(asked.url) if not asked.url.startswith(("file:", "data:")) else None)
    yield page, said
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_it_asks_for_nothing_and_can_be_read(
    heard: tuple[Page, list[str]], page_file: Path, scheme: Any, width: int
) -> None:
    page, said = heard
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    page.goto(page_file.as_uri())
    page.evaluate("() => { for (const e of document.querySelectorAll('details')) e.open = true; }")
    assert page.evaluate(AUDIT) == []
    assert page.evaluate("() => document.documentElement.scrollWidth") == width
    assert violations(page) == []
    assert said == []
    look(page, f"report-{scheme}-{width}")


def test_its_contents_stay_beside_the_text_and_fold_where_it_is_narrow(
    heard: tuple[Page, list[str]], page_file: Path
) -> None:
    page, _ = heard
    page.goto(page_file.as_uri())
    link = page.locator(".r-beside a", has_text="The end")
    link.click()
    assert page.locator("h2", has_text="The end").evaluate("e => e.getBoundingClientRect().top") < 900
    assert link.evaluate("e => { const r = e.getBoundingClientRect(); return r.top > 0 && r.bottom < innerHeight; }")
    page.set_viewport_size({"width": 360, "height": 800})
    assert page.locator(".r-beside").is_hidden()
    folded = page.locator(".r-above")
    assert folded.get_by_role("link", name="The end").is_hidden()
    folded.locator("summary").click()
    assert folded.get_by_role("link", name="The end").is_visible()


def test_the_keyboard_goes_to_the_report_first(heard: tuple[Page, list[str]], page_file: Path) -> None:
    page, _ = heard
    page.goto(page_file.as_uri())
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.textContent") == "Skip to the report"
    assert page.evaluate("() => document.activeElement.getBoundingClientRect().left") >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("() => document.activeElement.id") == "report"


def test_on_paper_there_is_the_report_alone(heard: tuple[Page, list[str]], page_file: Path) -> None:
    page, _ = heard
    page.emulate_media(media="print", color_scheme="dark")
    page.goto(page_file.as_uri())
    assert page.locator("nav").is_hidden()
    folded = page.locator(".r-fold:not([open])")
    assert folded.count() > 3
    assert not any(one.is_visible() for one in folded.all())
    assert page.evaluate("() => getComputedStyle(document.body).color") == "rgb(28, 33, 40)"
    address = "e => getComputedStyle(e, '::after').content"
    assert "https://example.org/a/very/long/address" in page.locator("main a", has_text="link").evaluate(address)


def test_hostile_notebooks_do_nothing(heard: tuple[Page, list[str]], tmp_path: Path) -> None:
    page, said = heard
    page.add_init_script("window.alert = window.confirm = window.prompt = (m) => { throw new Error(`ran: ${m}`); };")
    cells = [new_markdown_cell(one) for one in HOSTILE]
    cells += [code("1", shown({"text/html": one}), shown({"image/svg+xml": one})) for one in HOSTILE]
    path = tmp_path / "hostile.html"
    path.write_text(export(new_notebook(cells=[*cells, new_markdown_cell("## The end")])), encoding="utf-8")
    page.goto(path.as_uri())
    for event in ("mouseover", "focus", "click", "toggle", "load", "error"):
        page.evaluate(
            "name => document.querySelectorAll('main *').forEach((e) => e.dispatchEvent(new Event(name)))",
            event,
        )
    assert page.url == path.as_uri()
    # Everything is inside the report still, and nothing of it has been hidden.
    assert page.evaluate("() => [...document.body.children].map((e) => e.tagName)") == [
        "A", "HEADER", "NAV", "MAIN", "FOOTER",
    ]  # fmt: skip
    assert page.locator("main > div").count() > len(HOSTILE)
    assert page.locator("main :is(h2, h3)", has_text="The end").is_visible()
    assert page.evaluate("() => document.scripts.length") == 0
    assert said == []


def test_it_is_printed_to_pdf_whole_or_not_at_all(
    page_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if pdf.browser() is None:
        pytest.skip("no browser on PATH")
    made = tmp_path / "report.pdf"
    pdf.write_pdf(page_file, made)
    content = made.read_bytes()
    assert content.startswith(b"%PDF-")
    assert content.rstrip().endswith(b"%%EOF")
    assert len(re.findall(rb"/Type\s*/Page\b", content)) >= 2

    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(pdf.NoPdf, match="install Chromium"):
        pdf.write_pdf(page_file, made)
    assert made.read_bytes() == content
    broken = tmp_path / "chromium"
    broken.write_text("#!/bin/sh\necho no display >&2\nexit 3\n")
    broken.chmod(0o755)
    with pytest.raises(pdf.NoPdf, match="chromium printed nothing: no display"):
        pdf.write_pdf(page_file, made)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["chromium", "report.pdf"]
