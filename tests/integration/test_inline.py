"""A cell that works inline works unchanged: the same cell as a run and in the kernel, compared."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.inline import both, inline, same, tracked
from tests.notebook import Notebook

_PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@pytest.fixture(scope="module")
def prepared(shared_notebook: Notebook) -> Notebook:
    shared_notebook.run(
        """
        import os, random, sys, warnings
        import torch
        import numpy as np
        import pandas as pd
        _environment = dict(os.environ)
        """
    )
    return shared_notebook


@pytest.fixture
def nb(prepared: Notebook) -> Iterator[Notebook]:
    yield prepared
    # A warm process serves one environment.
    prepared.run("os.environ.clear(); os.environ.update(_environment)")


def test_commands_and_their_expansions(nb: Notebook) -> None:
    seen = same(
        nb,
        """
        x = 3
        name = "world"
        !echo hello {name} $x
        out = !echo one; echo two
        print(out)
        !printf 'no newline'
        !false
        print(_exit_code)
        for i in range(2):
            !echo {i * 2} {"to " + name}
        """,
    )
    assert "hello world 3" in seen.text
    assert "['one', 'two']" in seen.text
    assert "2 to world" in seen.text
    assert tracked(nb, "print('before')\nos.system('echo within')\nprint('after')").text == "before\nwithin\nafter\n"
    assert nb.value("'_exit_code' in job.result") is False, "it is IPython's, not the cell's"


def test_line_magics_and_the_notebooks_own(nb: Notebook) -> None:
    nb.run(
        """
        from IPython.core.magic import Magics, line_cell_magic, magics_class, register_cell_magic, register_line_magic
        factor = 2
        def times(x): return x * factor
        @register_line_magic
        def double(line): print(times(int(line)))
        @register_cell_magic
        def shout(line, cell): print(line, cell.upper())
        @magics_class
        class Kept(Magics):
            @line_cell_magic
            def kept(self, line, cell=None): print("kept", line, times(3))
        get_ipython().register_magics(Kept)
        """
    )
    seen = same(
        nb,
        """
        %double 4
        factor = 5
        %double 4
        %kept here
        %env MY_SETTING=5
        !echo $MY_SETTING
        %precision 2
        3.14159
        """,
    )
    assert seen.text == "8\n20\nkept here 15\nenv: MY_SETTING=5\n5\r\n"
    nb.run("del os.environ['MY_SETTING']")
    assert same(nb, "%%shout loud\nquiet").text == "loud QUIET\n\n"
    nb.run("%precision")


def test_cell_magics(nb: Notebook) -> None:
    assert same(nb, "%%bash\necho out\necho err >&2").text == "out\nerr\n"
    same(nb, "%%capture got\nprint('hidden'); display(5)")
    assert nb.value("(job.result['got'].stdout, job.output)") == ("hidden\n", "")
    run, here = both(nb, "%%time\ntotal = sum(range(5))\nprint(total)")
    numbers = re.compile(r"[\d.]+ [mµμun]?s")
    assert numbers.sub("T", run.text).startswith("10\nCPU times: user T, sys: T, total: T\nWall time: T")
    assert numbers.sub("T", run.text).split() == numbers.sub("T", here.text).split()
    nb.run("number = 1")
    assert "loop" in tracked(nb, "%timeit -n1 -r1 number + 1").text
    assert nb.value("list(job.result.keys())") == []


def test_top_level_await(nb: Notebook) -> None:
    same(
        nb,
        """
        import asyncio
        async def after(n):
            await asyncio.sleep(0.01)
            return n
        print(await asyncio.gather(after(1), after(2)))
        async with asyncio.Lock(): print("locked", asyncio.get_running_loop().is_running())
        await after("last")
        """,
    )


@pytest.mark.parametrize("cell", ["[1,\n 1 + 1]", "1 + 1;  # quiet", "None"])
def test_value_of_the_last_expression(nb: Notebook, cell: str) -> None:
    same(nb, cell)


def test_every_expression_and_the_last_output(nb: Notebook) -> None:
    nb.run(
        """
        from IPython.core.interactiveshell import InteractiveShell
        InteractiveShell.ast_node_interactivity = 'all'
        """
    )
    assert len(same(nb, "1\n2\nx = 3\n'four'").shown) == 3
    nb.run("InteractiveShell.ast_node_interactivity = 'last_expr'")
    count = nb.value("get_ipython().execution_count")
    nb.run("41")
    tracked(nb, f"before = _, _{count}, Out[{count}]\n7\n")
    assert nb.value("job.result['before']") == (41, 41, 41)


def test_displays(nb: Notebook) -> None:
    seen = same(
        nb,
        f"""
        import base64
        from IPython.display import HTML, JSON, Image, Latex, Markdown, display, update_display
        display(HTML("<b>x</b>"), Markdown("# m"), JSON({{"a": [1, None]}}), Latex("$x$"))
        handle = display("first", display_id=True)
        handle.update("second")
        _h = display("third", display_id="kept"); update_display("fourth", display_id="kept")
        display({{"text/plain": "raw", "application/x-own+json": {{"a": 1}}}}, raw=True)
        display(Image(data=base64.b64decode("{_PNG}"), width=7))
        class Shown:
            def _repr_html_(self): return "<i>me</i>"
            def __repr__(self): return "me"
        display(Shown(), metadata={{"text/html": {{"isolated": True}}}})
        display(pd.DataFrame({{"a": [1.5, 2], "b": ["x" * 90, "y"]}}))
        print(pd.DataFrame(np.arange(100).reshape(2, 50)))
        pd.DataFrame(np.arange(100).reshape(2, 50))
        """,
    )
    assert [s.get("text/plain") for s in seen.shown][4:7] == ["'second'", "'fourth'", "raw"]
    assert _PNG in seen.shown[7]["image/png"].replace("\n", "")
    assert "..." in seen.text, "a wide table is broken as in a notebook"


@pytest.mark.parametrize("wait", [True, False])
def test_hundreds_of_cleared_outputs(nb: Notebook, wait: bool) -> None:
    seen = same(
        nb,
        f"""
        from IPython.display import clear_output
        display("before")
        for i in range(300):
            clear_output(wait={wait})
            print("epoch", i)
            display(i)
        """,
    )
    assert (seen.text, seen.shown) == ("epoch 299\n", [{"text/plain": "299"}])


def test_figures_style_and_options(nb: Notebook) -> None:
    nb.run(
        """
        import matplotlib.pyplot as plt
        fig0, ax0 = plt.subplots(figsize=(1, 1)); ax0.plot([1, 2])
        plt.style.use("ggplot")
        plt.rcParams.update({"font.size": 7, "lines.linewidth": 4, "figure.figsize": (2, 2)})
        """
    )
    cell = """
        plt.plot([1, 2, 3]); plt.title("a"); plt.show()
        fig, ax = plt.subplots(); ax.bar([1], [2])
        closed, _axes = plt.subplots(); plt.close(closed)
        ax0.plot([3, 4])
        display(fig0)
        print(plt.rcParams["font.size"], plt.rcParams["lines.linewidth"], plt.get_backend())
        fig
        """
    seen = same(nb, cell)
    assert [list(s) for s in seen.shown] == [["text/plain", "image/png"]] * 4
    nb.run("%config InlineBackend.figure_format = 'retina'\n%config InlineBackend.print_figure_kwargs = {}")
    twice = same(nb, cell).shown[0]["image/png"]
    assert len(twice) > len(seen.shown[0]["image/png"])


def test_inline_figures_are_set_up_by_the_cell_itself(nb: Notebook) -> None:
    nb.run("%config InlineBackend.figure_format = 'png'")
    seen = same(
        nb,
        """
        %matplotlib inline
        %config InlineBackend.figure_format = 'svg'
        import matplotlib.pyplot as plt
        plt.rcParams["svg.hashsalt"] = "fixed"
        %config InlineBackend.print_figure_kwargs = {"metadata": {"Date": None}}
        plt.plot([1, 2]); plt.show()
        """,
    )
    assert list(seen.shown[0]) == ["text/plain", "image/svg+xml"]
    nb.run("plt.ioff()")
    assert same(nb, "fig, ax = plt.subplots(); ax.plot([3, 4]); print('no figure')").shown == []
    nb.run("plt.ion(); plt.close('all')")


def test_progress_bars(nb: Notebook) -> None:
    seen = same(
        nb,
        """
        from tqdm import tqdm, trange
        for i in tqdm(range(3), bar_format="{l_bar}{bar}{n_fmt}/{total_fmt}", mininterval=0, desc="ep", ascii=True):
            pass
        for i in trange(2, bar_format="{n}", leave=False): pass
        """,
    )
    assert "ep: 100%|##########3/3" in seen.text
    nb.run("import tqdm.auto, tqdm.notebook")
    seen = tracked(
        nb,
        """
        for i in tqdm.auto.tqdm(range(3), desc="auto"): pass
        for i in tqdm.notebook.tqdm(range(3), desc="widget"): pass
        import ipywidgets
        slider = ipywidgets.IntProgress(value=1, max=5)
        display(slider)
        slider.value = 4
        print("done")
        """,
    )
    assert "auto: 100%" in seen.text
    assert seen.text.endswith("done\n")
    assert [list(s) for s in seen.shown] == [["text/plain"]] * 2
    assert "widget: 100%" in seen.shown[0]["text/plain"]
    assert seen.shown[1]["text/plain"] == "IntProgress(value=4, max=5)"


def test_colours_and_warnings(nb: Notebook) -> None:
    nb.run("class Mine(UserWarning): pass\nfilters = warnings.filters[:]")
    cell = r"""
        print("\x1b[31mred\x1b[0m")
        print("to stderr", file=sys.stderr)
        def warn(): warnings.warn("again")
        warn(); warn()
        for i in range(3): warnings.warn("loop")
        warnings.warn("deprecated", DeprecationWarning)
        warnings.warn("mine", Mine)
        np.array([1.0]) / 0
        try:
            warnings.warn("now an error", ResourceWarning)
        except ResourceWarning as error:
            print("raised", error, file=sys.stderr)
        """
    seen = same(nb, cell)
    assert seen.text.count("UserWarning: again") == 1
    assert seen.text.count("UserWarning: loop") == 1
    assert "CELL:5: UserWarning: again" in seen.text or "CELL:4: UserWarning: again" in seen.text
    nb.run(
        """
        warnings.filterwarnings("ignore", category=UserWarning)
        warnings.filterwarnings("always", category=Mine)
        warnings.simplefilter("error", ResourceWarning)
        np.seterr(divide="ignore")
        """
    )
    seen = same(nb, cell)
    assert "Mine: mine" in seen.text
    assert "raised now an error" in seen.text
    assert "again" not in seen.text
    assert "divide" not in seen.text
    nb.run("warnings.filters[:] = filters; warnings._filters_mutated(); np.seterr(divide='warn')")


def test_the_shell(nb: Notebook) -> None:
    seen = same(
        nb,
        """
        ip = get_ipython()
        print(type(ip).__name__, ip.user_ns is globals(), ip.run_cell("1 + 1").result, ip.ev("2 * 3"), __name__)
        print(len(In) > 1, ip.find_line_magic("timeit") is not None)
        """,
    )
    assert seen.text.splitlines()[0] == "ZMQInteractiveShell True 2 6 __main__"


def test_tracebacks(nb: Notebook) -> None:
    nb.run("def below(x):\n    return 1 / x")
    seen = same(nb, "def f(x):\n    return below(x)\n\ny = 1\nf(0)\n", fails=True)
    assert "line 6" in re.sub(r"\x1b\[[\d;]*m", "", seen.error)
    assert "ZeroDivisionError" in seen.error
    same(nb, "exec('a = (')", fails=True)


def test_data_loader_workers_and_processes(nb: Notebook) -> None:
    nb.run(
        """
        from concurrent.futures import ProcessPoolExecutor
        from multiprocessing import Pool
        from torch.utils.data import DataLoader, Dataset
        class Squares(Dataset):
            def __len__(self): return 8
            def __getitem__(self, i): return torch.tensor(scale * float(i * i)), i % 3
        scale = 2
        def square(x): return scale * x * x
        loader = DataLoader(Squares(), batch_size=4, num_workers=2, persistent_workers=True)
        list(loader)
        """
    )
    seen = same(
        nb,
        """
        scale = 3
        for x, y in DataLoader(Squares(), batch_size=4, num_workers=2, shuffle=True): print(x.tolist(), y.tolist())
        for x, y in loader: print(x.dtype, y.tolist())
        with Pool(2) as pool: print(pool.map(square, [1, 2]))
        with ProcessPoolExecutor(2) as pool: print(list(pool.map(square, [3])))
        from joblib import Parallel, delayed
        print(Parallel(n_jobs=2)(delayed(square)(i) for i in range(3)))
        """,
    )
    assert "[3, 12]\n[27]\n[0, 3, 12]" in seen.text


def test_folder_path_and_modules_beside_the_notebook(nb: Notebook) -> None:
    beside = nb.folder
    (beside / "helper.py").write_text("from deeper import base\ndef value(): return base() + 1\n")
    (beside / "deeper.py").write_text("def base(): return 10\n")
    (beside / "fresh.py").write_text("import deeper\nVALUE = deeper.base() * 2\n")
    (beside / "package" / "inner").mkdir(parents=True)
    (beside / "package" / "__init__.py").write_text("from .part import PART\n")
    (beside / "package" / "part.py").write_text("PART = 'part'\n")
    (beside / "package" / "inner" / "__init__.py").write_text("from ..part import PART\nINNER = PART * 2\n")
    (beside / "elsewhere").mkdir()
    (beside / "elsewhere" / "distant.py").write_text("class Thing:\n    kind = 'distant'\n")
    nb.run("import helper\nsys.path.append('elsewhere')\nimport distant\nthing = distant.Thing()")
    seen = same(
        nb,
        """
        import fresh, package.inner
        print(helper.value(), fresh.VALUE, package.PART, package.inner.INNER, os.path.basename(helper.__file__))
        print(thing.kind, isinstance(thing, distant.Thing), distant.__file__)
        print(os.getcwd(), sys.path[-3:], os.path.exists("helper.py"))
        """,
    )
    assert seen.text.startswith("11 20 part partpart helper.py\ndistant True")


def test_modules_as_they_were_at_submit(nb: Notebook) -> None:
    files = [Path(nb.folder) / name for name in ("early.py", "late.py", "later.py")]
    for path in files:
        path.write_text("VERSION = 'at submit'\n")
    files[1].write_text("VERSION = 'at submit'\nfrom later import VERSION as BELOW\n")
    nb.run("import early")
    cell = """
        import time
        while not os.path.exists("edited"): time.sleep(0.05)
        import late
        found = early.VERSION, late.VERSION, late.BELOW
        """
    nb.train("waiting", cell, state=None)
    for path in files:
        path.write_text("VERSION = BELOW = 'edited'\n")
    (Path(nb.folder) / "edited").touch()
    nb.run("waiting.wait(60)")
    assert nb.value("waiting.result['found']") == ("at submit",) * 3


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("print('begin')\nanswer = input('name? ')", "has nobody to answer input()"),
        ("import getpass\nsecret = getpass.getpass()", "has nobody to answer input()"),
        ("breakpoint()", "has no terminal for the debugger"),
    ],
)
def test_questions_fail_at_once(nb: Notebook, cell: str, says: str) -> None:
    nb.train("asks", cell, state="failed")
    assert says in nb.value("asks.cause")


def test_training_is_equal_bit_for_bit(nb: Notebook) -> None:
    nb.run(
        """
        import torch.nn as nn, torch.nn.functional as F
        from torch.utils.data import TensorDataset
        torch.manual_seed(0); random.seed(0); np.random.seed(0); torch.rand(3); np.random.randn()
        data = TensorDataset(torch.randn(64, 4), torch.randint(0, 3, (64,)))
        net = nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 3))
        optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
        loader = DataLoader(data, batch_size=16, shuffle=True)
        rng, py, old = np.random.default_rng(3), random.Random(2), np.random.RandomState(5)
        generator = torch.Generator().manual_seed(7)
        """
    )
    seen = same(
        nb,
        """
        for epoch in range(3):
            for x, y in loader:
                optimizer.zero_grad()
                loss = F.cross_entropy(net(x), y)
                loss.backward()
                optimizer.step()
            scheduler.step()
            print(loss.item().hex(), scheduler.get_last_lr())
        print([p.detach().sum().item().hex() for p in net.parameters()])
        print([p.grad.sum().item().hex() for p in net.parameters()])
        print(optimizer.state_dict()["state"][0]["exp_avg"].sum().item().hex(), net[1].running_mean.sum().item().hex())
        print(optimizer.param_groups[0]["params"][0] is net[0].weight, net.training, torch.get_num_threads())
        print(random.random().hex(), np.random.rand().hex(), torch.rand(1).item().hex())
        print(rng.random().hex(), py.random().hex(), old.rand().hex(), torch.rand(1, generator=generator).item().hex())
        """,
    )
    assert "Warning" not in seen.text
    nb.run("torch.manual_seed(1); random.seed(1); np.random.seed(1)")
    drawn = "print(random.random().hex(), np.random.rand().hex(), torch.rand(1).item().hex())"
    first = same(nb, drawn).text
    assert inline(nb, drawn).text != first, "the kernel's own streams went on"


def test_seed_makes_a_run_reproducible(nb: Notebook) -> None:
    cell = "print(random.random().hex(), np.random.rand().hex(), torch.rand(1).item().hex())"
    seeded = [tracked(nb, cell, f"job --seed {seed}").text for seed in (5, 5, 6)]
    assert seeded[0] == seeded[1]
    assert seeded[0] != seeded[2]
    nb.run("random.seed(5); np.random.seed(5); torch.manual_seed(5)")
    assert inline(nb, cell).text == seeded[0]


def test_options_of_python_and_libraries(nb: Notebook) -> None:
    nb.run(
        """
        from __future__ import annotations
        import decimal, logging
        torch.set_num_threads(1); torch.set_default_dtype(torch.float64); torch.set_printoptions(precision=2)
        torch.autograd.set_detect_anomaly(True); torch.use_deterministic_algorithms(True)
        np.set_printoptions(precision=3, suppress=True, formatter={"float": lambda v: f"<{v:.2f}>"})
        pd.set_option("display.max_rows", 6); pd.options.display.float_format = "{:.2f}".format
        sys.setrecursionlimit(2345); sys.argv = ["prog", "--x", "1"]
        os.environ["MINE"] = "yes"; os.environ.pop("LANG", None)
        decimal.getcontext().prec = 5
        logging.basicConfig(level=logging.INFO, format="%(levelname)s:%(message)s", stream=sys.stdout, force=True)
        logging.getLogger("quiet").setLevel(logging.ERROR)
        """
    )
    seen = same(
        nb,
        """
        print(torch.get_num_threads(), torch.get_default_dtype(), torch.tensor([1 / 3, 2]), torch.is_anomaly_enabled())
        print(torch.are_deterministic_algorithms_enabled(), np.array([1 / 3, 2]), np.array([1e10]), np.geterr())
        print(pd.DataFrame({"a": [1 / 3] * 100, "b": ["x" * 100] * 100}))
        display(pd.DataFrame({"a": [1 / 3] * 100}))
        print(sys.getrecursionlimit(), sys.argv, os.environ["MINE"], "LANG" in os.environ, decimal.Decimal(1) / 3)
        def later(x: Nowhere): pass
        print(later.__annotations__)
        logging.info("root"); logging.getLogger("mine").info("mine"); logging.getLogger("quiet").warning("silent")
        """,
    )
    assert "1 torch.float64 tensor([0.33, 2.00]) True\nTrue [<0.33> <2.00>]" in seen.text
    assert "2345 ['prog', '--x', '1'] yes False 0.33333" in seen.text
    assert seen.text.endswith("INFO:root\nINFO:mine\n")


def test_hash_seed(tmp_path: Path) -> None:
    nb = Notebook(tmp_path, {"PYTHONHASHSEED": "7"})
    try:
        same(nb, "print(list({'a', 'b', 'c', 'd', 'e', 'f'}), hash('x'))")
    finally:
        nb.close()
