from __future__ import annotations

import builtins
import sys
from typing import NamedTuple

import pytest

from mlwidgets.capture.names import read_names
from mlwidgets.errors import CaptureError


class Cell(NamedTuple):
    """A cell and its names, space-separated: read for sure, perhaps read, bound; `first` of those without a use."""

    source: str
    must: str = ""
    maybe: str = ""
    binds: str = ""
    not_first: str = ""


CELLS = {
    "plain read": Cell("y = x + 1", "x", "", "y"),
    "assigned before the read": Cell("x = 1\ny = x", "", "", "x y"),
    "read before the assignment": Cell("y = x\nx = 1", "x", "", "x y", "x"),
    "reads on the right of its own assignment": Cell("x = x + 1", "x", "", "x", "x"),
    "augmented": Cell("total += loss", "loss total", "", "total", "total"),
    "augmented part": Cell("history['a'] += loss\nmodel.steps += 1", "history loss model"),
    "chain and unpacking": Cell("a = b, *c = d\nfor i, (j, k) in z: pass", "d z", "", "a b c i j k"),
    "attributes and keys are no names": Cell("x.y.z[k] = w", "x k w"),
    "del of the notebook's": Cell("del x", "x"),
    "del of its own": Cell("x = 1\ndel x\nx = 2\nprint(x)", "", "", "x"),
    "read after del": Cell("x = 1\nif c:\n    del x\nx", "c", "x", "x", "x"),
    "if": Cell("if c:\n    x = 1\nprint(x)", "c", "x", "x", "x"),
    "if with else": Cell("if c:\n    x = 1\nelse:\n    x = y\nprint(x)", "c", "y", "x"),
    "if that leaves by raise": Cell("if c:\n    raise E\nelse:\n    x = 1\nprint(x)", "c", "E", "x"),
    "elif": Cell("if a:\n    x = 1\nelif b:\n    x = 2\nelse:\n    x = 3\nx", "a", "b", "x"),
    "bound and read in one branch": Cell("if c:\n    x = 1\n    print(x)", "c", "", "x"),
    "loop": Cell(
        "for i in items:\n    use(i, lr)\n    last = i\nprint(last)", "items lr use", "last", "i last", "last"
    ),
    "loop variable afterwards": Cell("for i in r: pass\nprint(i)", "r", "i", "i", "i"),
    "loop with else": Cell("for i in r:\n    x = 1\nelse:\n    y = 2\nprint(y)", "r", "", "i x y"),
    "loop with break and else": Cell("for i in r:\n    break\nelse:\n    y = 2\nprint(y)", "r", "y", "i y", "y"),
    "after a continue": Cell("for i in r:\n    if i: continue\n    print(rare)", "r", "rare", "i"),
    "assigned in an earlier turn": Cell(
        "for i in r:\n    if i: print(prev)\n    prev = i", "r", "prev", "i prev", "prev"
    ),
    "while": Cell("while n > 0:\n    n -= step", "n step", "", "n", "n"),
    "while True": Cell("while True:\n    x = f()\n    if x: break\nprint(x)", "f", "", "x"),
    "while True, break before": Cell("while True:\n    if c: break\n    x = 1\nprint(x)", "c", "x", "x", "x"),
    "with": Cell("with open(p) as f, g() as (a, b):\n    data = f.read()\nprint(data, a)", "p g", "", "f a b data"),
    "with suppress": Cell(
        "from contextlib import suppress\nwith suppress(OSError):\n    x = y\nprint(x)", "", "x y", "suppress x", "x"
    ),
    "try NameError": Cell("try:\n    lr\nexcept NameError:\n    lr = 0.1\nprint(lr)", "", "lr", "lr", "lr"),
    "try anything": Cell("try:\n    x = y\nexcept:\n    x = z\nx", "", "y z", "x"),
    "try import": Cell(
        "try:\n    import fast\n    fast.go(p)\nexcept ImportError:\n    fast = None\nfast", "", "p", "fast"
    ),
    "try, first statement": Cell("try:\n    f(x)\n    g(x)\nexcept ValueError as e:\n    print(e)", "f x", "g", "e"),
    "try with interrupts only": Cell("try:\n    f()\n    g(h)\nexcept KeyboardInterrupt:\n    pass", "f g h"),
    "finally after success": Cell("try:\n    x = f()\nfinally:\n    y = 1\nprint(x, y)", "f", "", "x y"),
    "finally after an error": Cell("try:\n    f()\n    x = 1\nfinally:\n    print(x)", "f", "x", "x", "x"),
    "exception's name goes": Cell("try:\n    f()\nexcept E as e:\n    pass\nprint(e)", "f", "E e", "e", "e"),
    "walrus": Cell("if (n := len(x)) > 3:\n    print(n)\nprint(n)", "x", "", "n"),
    "walrus behind and": Cell("if a and (m := b):\n    print(m)", "a", "b m", "m", "m"),
    "walrus in a comprehension": Cell("y = [last := i for i in r]\nprint(last)", "r", "last", "last y", "last"),
    "comprehension": Cell("[i * k for i in r if i > t]", "r t", "k"),
    "comprehension over its own name": Cell("[x for x in x]", "x"),
    "nested comprehension": Cell("{a: [b for b in a] for a in c for d in a}", "c"),
    "lazy generator": Cell("g = (f(i) for i in r)\nf = len\nlist(g)", "r", "f", "f g", "f"),
    "short circuit": Cell("x = a and b or c\ny = d if e else f\nz = g < h < i", "a e g h", "b c d f i", "x y z"),
    "message of an assert": Cell("assert x, f'bad {y}'", "x", "y"),
    "f-string": Cell("print(f'{a!r:>{b}} {c=}')", "a b c"),
    "function called": Cell("def f(a, b=c):\n    return a + b + d\nf(1)", "c", "d", "f"),
    "function left for later": Cell("def f():\n    return d", "", "d", "f"),
    "function used after its globals are set": Cell("def f():\n    return d\nd = 1\nf()", "", "", "d f"),
    "function used before its globals are set": Cell("def f():\n    return d\nf()\nd = 1", "", "d", "d f", "d"),
    "function used in a branch and later": Cell(
        "def f():\n    return x\nif c:\n    x = 1\n    f()\nf()", "c", "x", "f x", "x"
    ),
    "functions that call each other": Cell(
        "def f():\n    return g() + a\ndef g():\n    return f() + b\na = 1\nf()", "", "b", "a f g"
    ),
    "function over a comprehension's name": Cell("def f():\n    return x\n[f() for x in r]", "r", "x", "f"),
    "two versions of a function": Cell(
        "if c:\n    def f():\n        return a\nelse:\n    def f():\n        return b\nf()", "c", "a b", "f"
    ),
    "function replaced": Cell("def f():\n    return a\ndef f():\n    return b\nf()", "", "b", "f"),
    "closure": Cell(
        "def outer(a):\n    k = a\n    def inner():\n        return k + g\n    return inner\nouter(1)", "", "g", "outer"
    ),
    "global": Cell("def f():\n    global n\n    n = 1\nf()\nprint(n)", "", "n", "f n", "n"),
    "counting global": Cell("def f():\n    global n\n    n += 1\nf()", "", "n", "f n", "n"),
    "lambda": Cell("h = lambda x, k=d: x + k + m", "d", "m", "h"),
    "lambda in a comprehension": Cell("[lambda: i + z for i in r]", "r", "z"),
    "decorator": Cell("@wrap(a)\ndef f():\n    return b", "wrap a", "b", "f"),
    "class": Cell(
        "class A(Base, metaclass=M):\n    x = y\n    def f(self):\n        return x + z", "Base M y", "x z", "A"
    ),
    "class reads a name and binds it": Cell("class A:\n    lr = lr", "lr", "", "A"),
    "class in a function reads a name and binds it": Cell(
        "def f():\n    class A:\n        lr = lr\n    return A\nf()", "", "lr", "f"
    ),
    "class bodies do not nest": Cell("class A:\n    x = 1\n    class B:\n        y = x", "x", "", "A"),
    "comprehension in a class body": Cell(
        "class A:\n    n = 2\n    a = [n for _ in (1,)]\n    b = [i for i in (n,)]", "n", "", "A"
    ),
    "branch in a class body": Cell("class A:\n    if c:\n        x = 1\n    y = x", "c", "x", "A"),
    "method left for later": Cell("class A:\n    def f(self, k=d):\n        return g\ng = 1\nA()", "d", "", "A g"),
    "annotations": Cell("x: T = v\ny: U\ndef f(a: P) -> R:\n    b: Q = a\n    return b", "v", "P R T U", "f x"),
    "match": Cell(
        "match s:\n    case [a, *b] if g: r = a\n    case {'k': v, **rest}: r = v\n    case P(x=q): r = q\nprint(r)",
        "s", "P g r", "a b q r rest v", "r",
    ),
    "match with a last case": Cell("match s:\n    case 1: r = 1\n    case _: r = 2\nprint(r)", "s", "", "r"),
    "match on constants": Cell("match s:\n    case Color.RED: pass", "s", "Color"),
    "imports": Cell(
        "from __future__ import annotations\nimport a.b, c as d\nfrom e import f as g", "", "", "a annotations d g"
    ),
    "conditional import": Cell("if c:\n    import np\nnp.zeros(1)", "c", "np", "np", "np"),
    "star import": Cell("from os.path import *\nprint(join(a, b))", "", "a b join"),
    "await": Cell(
        "x = await f(y)\nasync with g() as h:\n    pass\nasync for i in j(h):\n    print(i)", "f g j y", "", "h i x"
    ),
    "async function": Cell("async def f():\n    return await g()\nawait f()", "", "g", "f"),
    "main guard": Cell(
        "def main():\n    return p\nif __name__ == '__main__':\n    x = main()\nprint(x, q)", "q", "p", "main x"
    ),
    "builtins may be shadowed": Cell("sum = 3\nprint(sum)", "", "", "sum"),
    "shell command": Cell("!echo {v['a']} $w plain", "", "a v w", "_exit_code"),
    "shell command assigned": Cell("files = !ls {folder}\nprint(files)", "", "folder", "files"),
    "shell command in a function": Cell("def f():\n    !ls {path}\nf()", "", "path get_ipython", "f"),
    "line magic": Cell("%matplotlib inline\nx = y", "y", "inline", "x"),
    "magic that binds names": Cell("%run helper.py\nhelp_me(x)", "", "help_me helper py x"),
    "time": Cell("%time x = f(y)\nprint(x)", "f y", "", "x"),
    "timeit binds nothing": Cell("%timeit -n 1 -r 1 x = f(y)\nprint(x)", "f x y"),
    "time of a cell": Cell("%%time\nx = f(y)\nx", "f y", "", "x"),
    "timeit of a cell": Cell("%%timeit -n 1 z = w\nf(z)", "f w", "n w z"),
    "capture": Cell("%%capture out\nx = f(y)", "f y", "out", "x"),
    "bash": Cell("%%bash -s {a}\necho $b hello", "", "a b s"),
    "unknown cell magic": Cell("%%mine opt\nuse(model)", "", "model opt use"),
    "question mark": Cell("model?", "", "model"),
    "assigned magic": Cell("t = %timeit -o f(x)\nt", "f x", "", "t"),
    "query": Cell("df.query('loss < @limit')", "df", "limit loss"),
    "indented cell": Cell("    x = 1\n    y = x + z", "z", "", "x y"),
}  # fmt: skip


@pytest.mark.parametrize("name", CELLS)
def test_cell(name: str) -> None:
    cell = CELLS[name]
    names = read_names(cell.source)
    known = set(dir(builtins))
    assert set(names.must) - known == set(cell.must.split())
    assert names.maybe - known == set(cell.maybe.split()) - set(cell.must.split())
    assert set(names.binds) == set(cell.binds.split())
    assert set(names.assigned_first) == set(cell.binds.split()) - set(cell.not_first.split())
    assert not names.opaque


@pytest.mark.skipif(sys.version_info < (3, 12), reason="type parameters came with Python 3.12")
@pytest.mark.parametrize(
    ("source", "must", "maybe", "binds"),
    [
        ("def f[T: Bound](x: T) -> list[T]:\n    return x", "", "Bound", "f"),
        ("class A[T](Base[T]):\n    x: T\n    kind = list[T]", "Base", "", "A"),
        ("type Pair[T] = tuple[T, Other]", "", "Other", "Pair"),
    ],
)
def test_type_parameters(source: str, must: str, maybe: str, binds: str) -> None:
    names = read_names(source)
    assert set(names.must) - set(dir(builtins)) == set(must.split())
    assert names.maybe - set(dir(builtins)) == set(maybe.split())
    assert set(names.binds) == set(binds.split())


@pytest.mark.parametrize(
    ("source", "opaque"),
    [
        ("exec('x = 1')", True),
        ("y = eval(text)", True),
        ("globals()['x'] = 1", True),
        ("if 'lr' not in globals():\n    lr = 1", True),
        ("print(locals())", True),
        ("dir()", True),
        ("get_ipython().user_ns['x']", True),
        ("def f():\n    return globals()\nf()", True),
        ("%run -i helper.py", True),
        ("%run helper.py", False),
        ("print(vars(args))", False),
        ("dir(model)", False),
        ("def f(args):\n    print(vars(args), locals())\nf(a)", False),
        ("model.eval()", False),
        ("def eval(x):\n    return x\neval(1)", False),
    ],
)
def test_lookups_that_cannot_be_followed(source: str, opaque: bool) -> None:
    assert read_names(source).opaque is opaque


def test_what_is_bound_after_an_opaque_lookup_is_not_said_to_come_first() -> None:
    names = read_names("a = 1\nexec(code)\nb = 2")
    assert set(names.assigned_first) == {"a"}


@pytest.mark.parametrize(
    ("source", "line"),
    [("x = missing", 1), ("\n\n  \nx = missing", 4), ("%%time\n\nx = missing", 3), ("%%timeit\nmissing()", 2),
     ("%%timeit y = 1\nmissing(y)", 2), ("a = 1\n%time x = missing", 2), ("'''a\nb'''\nmissing", 3)],
)  # fmt: skip
def test_line_of_a_missing_name(source: str, line: int) -> None:
    assert read_names(source).must["missing"] == line


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x = (", r"no valid Python: .*\(line 1\)"),
        ("\n\nx = = 1", r"no valid Python: invalid syntax \(line 3\)"),
        ("return 3", r"'return' outside function"),
        ("def f():\n    x = 1\n    global x", r"assigned to before global declaration \(line 3"),
        ("x = 1\n  y = 2", "unexpected indent"),
        ("x = 'a\0b'", "null byte"),
    ],
)
def test_no_code(source: str, message: str) -> None:
    with pytest.raises(CaptureError, match=message):
        read_names(source)


def test_warnings_are_left_for_the_worker(recwarn: pytest.WarningsRecorder) -> None:
    read_names("x = 1 is 1\ny = '\\d'")
    assert not recwarn.list


def test_imports_with_their_dots() -> None:
    source = "import a.b\nfrom c.d import e\ndef f():\n    import g.h\n    from i import j\nfrom . import k"
    assert read_names(source).imports == {"a.b", "c.d", "c.d.e", "g.h", "i"}


def test_chains_of_attributes() -> None:
    chains = read_names("def f():\n    return scipy.stats.norm(0)\nnp.x").attributes
    assert {"scipy.stats", "scipy.stats.norm", "np.x"} <= chains


def test_what_is_hidden_from_functions_of_the_notebook() -> None:
    names = read_names("a = before()\nif c:\n    b = 1\nlater()\nfor i in r:\n    later()")
    assert names.hidden["before"] == frozenset()
    assert names.hidden["later"] == {"a"}


def test_texts_of_many_parts() -> None:
    assert set(read_names("x = " + " + ".join(["'a'"] * 900) + " + z").must) == {"z"}
