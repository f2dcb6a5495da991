"""Results come back: into ``run.result`` and, with ``%runs load``, into the notebook; and the remedies for pickling."""

from __future__ import annotations

import pytest

from tests.inline import tracked
from tests.notebook import Notebook

_NET = """
class Net(nn.Module):
    bias_scale = 1
    def __init__(self, width=4):
        super().__init__()
        self.layer = nn.Linear(2, width)
    def forward(self, x):
        return self.layer(x) * self.bias_scale
"""


@pytest.fixture(scope="module")
def nb(shared_notebook: Notebook) -> Notebook:
    shared_notebook.run("import torch, torch.nn as nn\nimport numpy as np\nimport mlwidgets\n" + _NET)
    return shared_notebook


def test_what_comes_back_and_how_it_is_read(nb: Notebook) -> None:
    nb.run("given = [1]\nuntouched = torch.ones(3)\ntext = 'old'")
    nb.train(
        "brought",
        """
        import json, os.path as p
        model, (low, *rest), _private = Net(), (1, 2, 3), 5
        with open("x.txt", "w") as file: file.write("x")
        for index in range(2): pass
        def helper(): return low
        given.append(untouched.sum().item())
        text = "new"
        """,
    )
    names = ["model", "low", "rest", "_private", "index", "helper", "text", "given"]
    assert sorted(nb.value("list(brought.result.keys())")) == sorted(names)
    assert nb.value("(brought.result['given'], given, brought.result['text'], text)") == ([1, 3.0], [1], "new", "old")
    assert nb.value("'model' in brought.result and brought.result['helper']() == 1")
    assert "brought" in nb.value("repr(brought.result)")
    missing = nb.run("brought.result['nothing']", fails=True)
    assert "has no result 'nothing'; it has:" in missing.error
    assert nb.value("'model' in globals()") is False
    loaded = nb.run("%runs load brought").text
    assert "loaded from brought:" in loaded
    assert "updated in place: given" in loaded
    assert "left alone: file (" in loaded
    assert nb.value("(given, text, low, json.dumps(rest), p.basename('a/b'), helper())") == (
        [1, 3.0],
        "new",
        1,
        "[2, 3]",
        "b",
        1,
    )
    nb.run("%runs load brought low")


def test_what_was_only_read_does_not_come_back(nb: Notebook) -> None:
    nb.run(
        """
        import collections, dataclasses, functools, pathlib, random, re
        import pandas as pd
        from torch.utils.data import DataLoader, TensorDataset, random_split
        @dataclasses.dataclass
        class Conf:
            x: int = 1
            ys: list = dataclasses.field(default_factory=list)
        class Loop:
            def __init__(self): self.name, self.me = "n", self
        r_net = Net().eval(); r_opt = torch.optim.Adam(r_net.parameters())
        r_sched = torch.optim.lr_scheduler.StepLR(r_opt, 1)
        r_df = pd.DataFrame({"a": range(5), "s": list("abcde")}); r_col = r_df["a"]; r_idx = r_df.set_index("s")
        r_dict = {"a": 1, "s": {"x", "y"}, "t": (1, "two")}; r_count = collections.Counter("abca"); r_conf = Conf()
        r_arr = np.random.rand(9_000); r_view = r_arr[::2]; r_from = torch.from_numpy(r_arr)
        r_ten = torch.rand(5); r_tv = r_ten[1:]
        r_gen, r_rng, r_py = torch.Generator(), np.random.default_rng(0), random.Random(0)
        r_set, _rest = random_split(TensorDataset(torch.rand(8, 2)), [6, 2])
        r_loader = DataLoader(r_set, batch_size=2)
        r_path, r_re, r_part, r_loop = pathlib.Path("a"), re.compile("a"), functools.partial(max, 1), Loop()
        r_rows = [{"k": i, "v": str(i)} for i in range(50)]
        """
    )
    nb.train(
        "reading",
        """
        r_net(torch.ones(2, 2)); r_opt.state_dict(); r_sched.get_last_lr(); r_df.groupby("s").sum(); r_col.sum()
        r_df["s"].unique(); str(r_df); r_df.values; r_idx.loc["a"]; r_dict["a"]; r_count["zz"]; r_conf.x; r_view.sum()
        r_arr.sum(); r_ten.sum(); r_tv.sum(); r_from.sum(); r_gen; r_rng; r_py; len(r_set); [b for b in r_loader]
        hash(r_path); r_re.match("a"); r_part(2); r_loop.me.name; r_rows[3]["k"]
        """,
    )
    assert nb.value("list(reading.result)") == []


def test_some_of_it_by_name(nb: Notebook) -> None:
    nb.train("some", "first_one, second_one = 1, 2")
    assert nb.run("%runs load some second_one").text == "loaded from some: second_one\n"
    assert nb.value("('first_one' in globals(), second_one)") == (False, 2)


def test_what_cannot_come_back_is_named_with_the_reason(nb: Notebook) -> None:
    nb.train(
        "partly",
        """
        import sqlite3, threading
        generator = (i for i in range(3))
        nested = {"a": [sqlite3.connect(":memory:")]}
        class Holder:
            def __init__(self): self.lock = threading.Lock()
        holder, good = Holder(), torch.ones(2)
        """,
    )
    assert nb.value("list(partly.result)") == ["good", "Holder"] or nb.value("sorted(partly.result)") == [
        "Holder",
        "good",
    ]
    loaded = nb.run("%runs load partly").text
    assert "left alone: generator (it is a generator" in loaded
    assert "left alone: nested (nested['a'][0] is a sqlite3.Connection)" in loaded
    assert "left alone: holder (holder.lock is a thread.lock)" in loaded
    assert nb.value("good.tolist()") == [1.0, 1.0]
    failed = nb.run("partly.result['nested']", fails=True)
    assert "has no result 'nested': nested['a'][0] is a sqlite3.Connection" in failed.error


def test_names_bound_anew_since_are_left_alone(nb: Notebook) -> None:
    nb.run("ours, theirs, changed = 1, 2, [0]")
    nb.train("clobber", "ours, theirs, brandnew = 10, 20, 30\nchanged.append(1)")
    nb.run("ours = 'mine now'\nbrandnew = 'mine too'\nchanged = ['another']")
    loaded = nb.run("%runs load clobber").text
    assert "loaded from clobber: theirs" in loaded
    assert loaded.count("you have bound it anew since the submit") == 3
    assert nb.value("(ours, theirs, brandnew, changed)") == ("mine now", 20, "mine too", ["another"])
    nb.run("%runs load clobber ours")
    assert nb.value("ours") == 10, "what is asked for by name is loaded all the same"


def test_a_result_is_mine_to_change(nb: Notebook) -> None:
    nb.train("mine", "weights = torch.zeros(200_000)\nsmall = np.zeros(3)\nlisted = [1]")
    nb.run("mine.result['weights'].add_(1); mine.result['listed'].append(2)")
    assert nb.value("mlwidgets.run('mine').result['weights'].sum().item()") == 0.0
    nb.run("%runs load mine\nweights += 5; small += 1")
    assert nb.value("mlwidgets.run('mine').result['weights'].sum().item()") == 0.0


def test_sharing_survives_the_round_trip(nb: Notebook) -> None:
    nb.run("store = torch.arange(100_000.0)\nfront, back = store[:10], store[50:]\nnet = Net()\nsame_net = net")
    nb.train(
        "shared",
        """
        front[0] = 42
        seen_there = store[0].item(), back.data_ptr() == store[50:].data_ptr(), same_net is net
        big = torch.zeros(50_000); half = big[:25_000]; turned = big.view(500, 100).t()
        array = np.zeros(50_000); window = array[10:20]; over = torch.from_numpy(array)
        tied = nn.ModuleList([nn.Linear(3, 3), nn.Linear(3, 3)]); tied[1].weight = tied[0].weight
        pair = [tied, tied]
        optimizer = torch.optim.SGD(tied.parameters(), lr=0.1)
        """,
    )
    assert nb.value("shared.result['seen_there']") == (42.0, True, True)
    nb.run("%runs load shared\nbig[0] = 7; array[10] = 8")
    assert nb.value("(half[0].item(), turned[0, 0].item(), window[0].item(), over[10].item())") == (7.0, 7.0, 8.0, 8.0)
    assert nb.value("(tied[0].weight is tied[1].weight, pair[0] is pair[1], pair[0] is tied)") == (True, True, True)
    assert nb.value("optimizer.param_groups[0]['params'][0] is tied[0].weight") is True
    assert nb.value("(store[0].item(), front[0].item(), front.data_ptr() == store.data_ptr())") == (42.0, 42.0, True)


def test_references_to_a_changed_model_stay_valid(nb: Notebook) -> None:
    nb.run(
        """
        model2 = Net(); holder2 = {"model": model2}; weight2 = model2.layer.weight
        opt2 = torch.optim.SGD(model2.parameters(), lr=1.0)
        before2 = weight2.detach().clone()
        """
    )
    nb.train(
        "trained",
        "model2(torch.ones(1, 2)).sum().backward(); opt2.step(); after = model2.layer.weight.detach().clone()",
    )
    assert nb.value("torch.equal(weight2, before2)") is True, (
        "the kernel's own object is not touched before it is loaded"
    )
    assert nb.value("trained.result['model2'] is model2") is False
    nb.run("%runs load trained")
    assert nb.value("(holder2['model'] is model2, model2.layer.weight is weight2)") == (True, True)
    assert nb.value("torch.equal(weight2, after) and not torch.equal(weight2, before2)") is True
    assert nb.value("opt2.param_groups[0]['params'][0] is weight2") is True


def test_the_kernels_own_classes_are_never_rewritten(nb: Notebook) -> None:
    nb.run(
        """
        class Counted:
            made = 0
            registry = {}
            def __init__(self): Counted.made += 1
            def told(self): return "the notebook's"
        mine = Counted(); told = Counted.told; forward = Net.forward
        """
    )
    nb.train(
        "rewriting",
        """
        made_there = Counted(); Counted()
        net_there = Net()
        Net.forward = lambda self, x: "patched"
        Net.extra = lambda self: "extra"
        Counted.registry["x"] = 1
        own = type(made_there) is Counted
        """,
    )
    nb.run("got = rewriting.result['made_there'], rewriting.result['net_there']")
    assert nb.value("(Net.forward is forward, hasattr(Net, 'extra'), Counted.told is told)") == (True, False, True)
    assert nb.value("(Counted.made, Counted.registry)") == (1, {})
    assert nb.value("(isinstance(got[0], Counted), got[0].told())") == (True, "the notebook's")
    nb.run("%runs load rewriting")
    assert nb.value("(Net.forward is forward, hasattr(Net, 'extra'), Counted.made)") == (True, False, 1)


def test_a_class_that_has_changed_since_is_the_runs_own(nb: Notebook) -> None:
    nb.run(
        """
        import enum, dataclasses
        class Changing:
            def name(self): return "first"
        class Level(enum.Enum):
            LOW = 1
        @dataclasses.dataclass
        class Options:
            lr: float = 0.1
        """
    )
    nb.train("versions", "thing, level, options = Changing(), Level.LOW, Options()")
    nb.run("class Changing:\n    def name(self): return 'second'\nclass Level(enum.Enum):\n    LOW = 5")
    nb.run("@dataclasses.dataclass\nclass Options:\n    lr: float = 0.5")
    assert nb.value("(versions.result['thing'].name(), Changing().name())") == ("first", "second")
    assert nb.value("isinstance(versions.result['thing'], Changing)") is False
    assert nb.value("(versions.result['level'].value, Level.LOW.value)") == (1, 5)
    assert nb.value("(versions.result['options'].lr, Options().lr)") == (0.1, 0.5)


def test_functions_see_the_globals_where_they_are(nb: Notebook) -> None:
    nb.run("scale = 1\ndef scaled(x): return x * scale\nboxed = [scaled]")
    nb.train("globals_there", "scale = 3\nthere = scaled(2), boxed[0](2)\ndef late(): return scale")
    assert nb.value("globals_there.result['there']") == (6, 6)
    assert nb.value("(scaled(2), globals_there.result['late'](), scale)") == (2, 3, 1), "reading changes nothing here"
    nb.run("%runs load globals_there\nscale = 7")
    assert nb.value("(late(), scaled(1), boxed[0](1))") == (7, 7, 7)


def test_after_a_failure_what_was_bound_is_there(nb: Notebook) -> None:
    nb.train("broke", "kept_model = Net()\nepoch = 3\nraise RuntimeError('late')", state="failed")
    assert nb.value("(broke.result['epoch'], isinstance(broke.result['kept_model'], Net))") == (3, True)
    nb.train("nothing", "pass")
    assert nb.value("list(nothing.result)") == []
    assert nb.run("%runs load nothing").text == "nothing has no results\n"
    waiting = nb.run("%%train unready\nimport time\ntime.sleep(60)\n")
    assert waiting.status == "ok"
    assert "is still" in nb.run("unready.result", fails=True).error
    nb.run("unready.stop()\nunready.wait(30)")


def test_identity_holds_after_a_kernel_restart(notebook: Notebook) -> None:
    nb = notebook
    setup = (
        "import torch, torch.nn as nn, enum, dataclasses, collections\n"
        + _NET
        + """
class Tracked:
    count = 0
    def __init__(self): Tracked.count += 1
class Color(enum.Enum):
    RED = 1
@dataclasses.dataclass(slots=True)
class Options:
    lr: float = 0.1
class Slotted:
    __slots__ = ("a",)
Pair = collections.namedtuple("Pair", "a b")
def activation(x): return x * 2
"""
    )
    made = """
        net, tracked, color, options, pair, slotted = Net(), Tracked(), Color.RED, Options(2.0), Pair(1, 2), Slotted()
        slotted.a = 3
        """
    check = (
        "(isinstance(r['net'], Net), isinstance(r['tracked'], Tracked), r['color'] is Color.RED, "
        "r['options'] == Options(2.0), isinstance(r['pair'], Pair), isinstance(r['slotted'], Slotted), r['slotted'].a)"
    )
    everything = (True,) * 6 + (3,)
    nb.run(setup)
    nb.train("lasting", made)
    nb.run("r = lasting.result")
    assert nb.value(check) == everything
    nb.restart()
    # Other cells ran before the one with the classes this time, and its comments were edited.
    nb.run("x = 1")
    nb.run("# an edited comment\n\n" + setup)
    nb.run("import mlwidgets\nlasting = mlwidgets.run('lasting')\nr = lasting.result")
    assert nb.value(check) == everything
    nb.run("%runs load lasting")
    assert nb.value("isinstance(net, Net) and net(torch.zeros(1, 2)).shape == (1, 4)") is True
    nb.restart()
    nb.run("import mlwidgets\nlasting = mlwidgets.run('lasting')")
    assert nb.value("lasting.result['net'](__import__('torch').zeros(1, 2)).tolist() is not None") is True
    assert tracked(nb, "print(1)").text == "1\n"
