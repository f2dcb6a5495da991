"""Nothing that a notebook holds can do anything on the page of a report."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nbformat.v4 import new_markdown_cell, new_notebook, new_output, new_raw_cell

from mlwidgets.reports.page.about import About
from mlwidgets.reports.page.making import export
from tests.unit.report_support import PNG, Page, assert_harmless, code, made, printed, shown

HOSTILE = [
    "<script>alert(1)</script>",
    "<ScRiPt src=//e.org/x.js></sCrIpT>",
    "<img src=x onerror=alert(1)>",
    "<img/src='x'/onerror='alert(1)'>",
    "<img src='https://e.org/pixel.gif'>",
    "<img src=//e.org/pixel.gif srcset='https://e.org/2x.gif 2x'>",
    "<svg onload=alert(1)><circle r=1 /></svg>",
    "<svg><script>alert(1)</script><rect width=1 /></svg>",
    "<svg><foreignObject><body onload=alert(1)><iframe src=//e.org></iframe></foreignObject><rect/></svg>",
    "<svg><a xlink:href='javascript:alert(1)'><text>x</text></a></svg>",
    "<svg><use href='https://e.org/x.svg#a'/><image href='https://e.org/x.png'/></svg>",
    "<svg><animate attributeName=href values='javascript:alert(1)'/><set attributeName=onload to=x /><rect/></svg>",
    "<svg><style>*{background:url(https://e.org)} @import 'https://e.org/x.css'; a{b:c}</style><rect /></svg>",
    "<svg><rect fill='url(https://e.org/#a)' style='fill:url(//e.org)'/></svg>",
    "<svg><style><img src=x onerror=alert(1)></style></svg>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
    "<math><maction actiontype='statusline#http://e.org' xlink:href='javascript:alert(1)'>x</maction></math>",
    "<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "<iframe src='javascript:alert(1)' srcdoc='<script>alert(1)</script>'></iframe>",
    "<object data='data:text/html,<script>alert(1)</script>'>fallback</object><embed src='//e.org/x.swf'>",
    "<form action='https://e.org'><input name=q value=1><button formaction='javascript:alert(1)'>Go</button></form>",
    "<a href='javascript:alert(1)'>a</a><a href=' java\nscript:alert(1)'>b</a><a href='&#106;avascript:alert(1)'>c</a>",
    "<a href='data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg=='>d</a><a href='vbscript:x'>e</a>",
    "<a href='\x01javascript:alert(1)'>f</a><a href='java\tscript:alert(1)'>g</a>",
    "<a href='JaVaScRiPt&colon;alert(1)'>h</a>",
    "<base href='https://e.org/'><link rel=stylesheet href='https://e.org/x.css'>",
    "<meta http-equiv=refresh content='0;url=https://e.org'><meta http-equiv=Content-Security-Policy content=''>",
    "<style>@import url(https://e.org/x.css); body{background:url(https://e.org/a)} *{display:none}</style>",
    "<style>#report ~ *, body > *, :root, html{display:none} a{color:red}</style><p>x</p>",
    "<style>a{color:red}</style><style></style><script>alert(1)</script></style>",
    "<style>a::before{content:'</style><script>alert(1)</script>'}</style>",
    "<div style='background:url(https://e.org/a);position:fixed;inset:0;behavior:url(x);width:expression(alert(1))'>x</div>",
    "<div style='background:\\75 rl(https://e.org/a);color:red'>x</div>",
    "<div style=\"font-family:'</style><script>'\">y</div>",
    "<div id=report class='r-banner r-checks'>x</div><div id=title name=body>x</div><a name=cookie id=cookie>x</a>",
    "</main></body></html><h1>mine</h1><script>alert(1)</script>",
    "</div></div></details></section>text<div><div>",
    "<h1>one<h1>two</h1><h6>six</h6></h1><h2></h2>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'></noscript>",
    "<textarea></textarea><img src=x onerror=alert(1)></textarea>",
    "<template><script>alert(1)</script></template><xmp><script>alert(1)</script></xmp>",
    "<plaintext><script>alert(1)</script>",
    "<!--><script>alert(1)</script>--><!--[if IE]><script>alert(1)</script><![endif]-->",
    "<![CDATA[<script>alert(1)</script>]]><?xml-stylesheet href='https://e.org'?>",
    "<video src='https://e.org/a.mp4' poster='https://e.org/p.png' onerror=alert(1)><source src='//e.org'></video>",
    "<audio src='data:text/html,<script>alert(1)</script>' autoplay></audio>",
    "<table background='https://e.org/a.png'><tr><td><script>alert(1)</script><form></table>",
    "<marquee onstart=alert(1)>x</marquee><isindex action='javascript:alert(1)'><keygen autofocus onfocus=alert(1)>",
    "<img src='data:text/html,<script>alert(1)</script>'><img src='data:image/svg+xml,<svg><script>1</script></svg>'>",
    "<img alt='$x$' src='data:image/png;base64,AAAA\" onerror=\"alert(1)'>",
    "<p title=\"a'b&quot;onmouseover=alert(1)\">x</p><p id='a b\"c'>y</p><p lang='\"><script>'>z</p>",
    "<details open ontoggle=alert(1)><summary>s</summary>t</details><dialog open>d</dialog>",
    "<a href='//e.org'>scheme-relative</a><a href='http://[bad'>bad</a><a href='?q=a:b'>query</a>",
    "\ufdd00-1\ufdd1 &#xFDD0;deadbeef-0&#xFDD1; {{ 7*7 }} {% raw %}",
    "\\href{javascript:alert(1)}{x} \\style{position:fixed;background:url(//e.org)}{y} \\class{r-banner}{z}",
    "<p style='font-family: \"curly @x url(\"; color: red'>text</p><p style='font-family: \"curly\"'>text</p>",
    "\\begin{a}" * 1500,
    "<div>" * 800 + "deep" + "<b>" * 500,
    "<svg>" + "<g>" * 1200 + "<rect/></svg>",
    "\ud800 half a character \x00 \x0b \x7f",
]


ALPHABET = [
    *"<>/='\"&;# \n\t:()-!x",
    "script", "img", "svg", "math", "style", "table", "td", "a", "p", "iframe", "form", "src", "href", "onload",
    "onerror", "style=", "javascript:", "data:text/html,", "data:image/png;base64,", "alert(1)", "url(", "//e.org",
    "<!--", "-->", "<![CDATA[", "]]>", "</", "<svg ", "<math ", "<style>", "</style>", "<script>", "</script>",
    "foreignObject", "mtext", "mglyph", "annotation-xml", "desc", "title", "textarea", "noscript", "h1", "`", "$",
    "$$", "\\", "{", "}", "[", "]", "&lt;", "&#106;", "@import", "class=r-banner", "id=title", "\ufdd0", "select",
    "template",
]  # fmt: skip


@pytest.mark.parametrize("content", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_content_does_nothing(content: str) -> None:
    data = {"text/html": content}
    cells = [
        new_markdown_cell(content),
        new_markdown_cell(f"# {content}\n\n- {content}\n\n| a |\n|---|\n| {content} |\n\n```{content}\n{content}\n```"),
        new_markdown_cell(f"[x]({content}) ![y]({content}) <{content}> [z]: {content}"),
        new_markdown_cell(f"$${content}$$ $\\text{{{content}}}$"),
        new_raw_cell(content, metadata={"raw_mimetype": "text/html"}),
        code(content, shown(data), tags=("show-input",)),
        code("1", shown({"text/markdown": content}), shown({"text/latex": content}), shown({"image/svg+xml": content})),
        code(
            "1",
            shown({"application/vnd.mlwidgets.run+json": {}, **data}),
            shown({"application/json": {content: content}}),
        ),
        code("1", printed(content), printed(content, "stderr"), shown({"text/plain": content})),
        code("1", new_output("error", ename=content, evalue=content, traceback=[content])),
        code(f"#| fig-cap: {content}\nplt.title({content!r})", shown({"image/png": PNG}, alt=content)),
        code(
            "1", shown({"application/vnd.mlwidgets.check+json": {"text": content, "passed": False, "detail": content}})
        ),
        code(f"x = {content!r}", tags=("parameters",)),
    ]
    about = About(
        notebook=content, params={content: content}, commit=content, edition=content, author=content, banner=content
    )
    html = export(new_notebook(cells=cells, metadata={"language_info": {"name": content}}), about)
    assert_harmless(Page(html))
    html.encode()
    assert "text" not in content or "text" in Page(html).text


def test_words_within_what_is_left_out_stay_or_leave_a_note() -> None:
    frame = "<iframe src='https://example.org/x'></iframe>"
    form = "<form>Name <button>Send</button></form><object>fallback</object>"
    page = made(new_markdown_cell(form + frame + frame))
    assert "Name Send" in page.text
    assert "fallback" in page.text
    assert "Left out here: an embedded object, a frame (https://example.org/x)." in page.text
    page = made(new_markdown_cell("![remote](https://example.org/a.png)"))
    assert "Picture elsewhere: remote" in page.text
    assert page.all("a")[-1]["href"] == "https://example.org/a.png"


@given(st.lists(st.sampled_from(ALPHABET), max_size=40).map("".join))
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_html_gets_anything_past_the_allow_lists(content: str) -> None:
    made(
        new_markdown_cell(content),
        code(
            "1",
            shown({"text/html": content}),
            shown({"image/svg+xml": f"<svg>{content}</svg>"}),
            shown({"text/latex": content}),
        ),
    )
