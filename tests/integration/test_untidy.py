"""Real notebooks are untidy, and still work: the same cell as a run and in the kernel, compared."""

from __future__ import annotations

import textwrap

import pytest

from tests.inline import inline, same, tracked
from tests.notebook import Notebook


@pytest.fixture(scope="module")
def nb(shared_notebook: Notebook) -> Notebook:
    shared_notebook.run(
        """
        import abc, collections, contextlib, dataclasses, enum, functools, itertools, operator, os, pathlib
        import pickle, random, re, sys, typing, weakref
        import torch, torch.nn as nn, torch.nn.functional as F
        import numpy as np
        import pandas as pd
        from math import *
        """
    )
    return shared_notebook


def test_functions_of_the_notebook(nb: Notebook) -> None:
    nb.run(
        """
        factor, hidden_name, counter = 3, "seen", 0
        def addmul(a, b): return a * factor + b
        part = functools.partial(addmul, 5)
        lam = lambda x: x * factor
        @functools.lru_cache(maxsize=None)
        def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
        @functools.singledispatch
        def kind_of(x): return "object"
        @kind_of.register
        def _(x: int): return "int"
        @kind_of.register(str)
        def _text(x): return "str"
        def bump():
            global counter
            counter += 1
            return counter
        def decorate(f):
            @functools.wraps(f)
            def inner(*a): return "decorated", f(*a)
            return inner
        @decorate
        def decorated(x): return x + factor
        def make_adder(n): return lambda x: x + n + factor
        adder = make_adder(10)
        def make_counter():
            count = 0
            def increment():
                nonlocal count
                count += 1
                return count
            return increment
        count_up = make_counter()
        def numbers(n):
            for i in range(n): yield i * factor
        @contextlib.contextmanager
        def around():
            yield factor
        def match_it(x):
            match x:
                case {"a": [first, *rest]}: return first, rest
                case [int(), str() as text]: return text
                case _: return None
        vectorized = np.vectorize(lambda x: x * factor)
        default = collections.defaultdict(lambda: factor)
        even = lambda n: n == 0 or odd(n - 1)
        odd = lambda n: n != 0 and even(n - 1)
        """
    )
    seen = same(
        nb,
        """
        factor = 4
        print(part(2), lam(2), fib(30), fib.cache_info().maxsize, kind_of(1), kind_of("s"), kind_of([]))
        print(bump(), bump(), counter, decorated(1), decorated.__name__, adder(3), count_up(), count_up())
        print([*numbers(3)], match_it({"a": [1, 2]}), match_it([1, "t"]), vectorized(np.arange(3)), default["x"])
        with around() as value: print(value)
        exec("made = factor * 2"); print(made, eval("hidden_name"), eval("factor + 1"), sqrt(9.0), even(10))
        print([last for q in range(3) if (last := q * 2)], last)
        del factor
        try: lam(1)
        except NameError as error: print(error)
        import inspect; print(inspect.getsource(addmul))
        """,
    )
    assert seen.text.startswith("22 8 832040 None int str object\n1 2 2 ('decorated', 5)")


def test_classes_of_the_notebook(nb: Notebook) -> None:
    nb.run(
        """
        @dataclasses.dataclass
        class Config:
            lr: float = 0.1
            layers: list = dataclasses.field(default_factory=lambda: [1, 2])
        @dataclasses.dataclass(slots=True, frozen=True)
        class Frozen:
            a: int = 1
        class Color(enum.Enum):
            RED = 1
            BLUE = 2
        class Access(enum.Flag):
            READ = enum.auto(); WRITE = enum.auto()
        class Point(typing.NamedTuple):
            x: int
            y: int = 2
        Pair = collections.namedtuple("Pair", "a b")
        class Base(abc.ABC):
            made = 0
            @abc.abstractmethod
            def go(self): ...
            @property
            def shown(self): return "property"
            @staticmethod
            def double(x): return x * 2
            @classmethod
            def name(cls): return cls.__name__
            @functools.cached_property
            def slow(self): return "cached"
        class Leaf(Base):
            def __init__(self): Base.made += 1
            def go(self): return ["leaf"]
        class Left(Leaf):
            def go(self): return ["left"] + super().go()
        class Right(Leaf):
            def go(self): return ["right"] + super().go()
        class Both(Left, Right):
            def go(self): return ["both"] + super().go()
        class Slotted:
            __slots__ = ("a", "__b")
            def __init__(self): self.a = 4; self.__b = 5
            def b(self): return self.__b
        class Meta(type):
            def __new__(mcs, name, bases, attributes):
                return super().__new__(mcs, name, bases, {**attributes, "tag": name})
        class Tagged(metaclass=Meta): pass
        class Plugins:
            known = {}
            def __init_subclass__(cls, **kw): Plugins.known[cls.__name__] = cls
        class Plugin(Plugins): pass
        T = typing.TypeVar("T")
        class Box(typing.Generic[T]):
            def __init__(self, v: T): self.v = v
        @typing.runtime_checkable
        class Goes(typing.Protocol):
            def go(self): ...
        class Failure(Exception):
            def __init__(self, text, code): super().__init__(text); self.code = code
        class Outer:
            class Inner:
                v = 5
        config, frozen, color, point, pair, both = Config(), Frozen(), Color.RED, Point(1), Pair(1, 2), Both()
        slotted, tagged, plugin, inner, method = Slotted(), Tagged(), Plugin(), Outer.Inner(), both.go
        kept = Outer.Inner(); weak, weak_values = weakref.ref(kept), weakref.WeakValueDictionary(k=kept)
        """
    )
    seen = same(
        nb,
        """
        print(dataclasses.asdict(config), dataclasses.fields(Config)[0].name, config == Config())
        print(dataclasses.replace(frozen, a=2), pickle.loads(pickle.dumps(color)) is Color.RED)
        print(color is Color.RED, Color(2), [*Color], Access.READ | Access.WRITE)
        print(point._replace(x=5), point == Point(1, 2), isinstance(point, Point), pair._asdict())
        print(both.go(), method(), isinstance(both, Base), both.shown, Both.double(2), Both.name(), both.slow)
        print(Base.made, Plugins.known, type(plugin) is Plugins.known["Plugin"])
        try: Base()
        except TypeError as error: print(error)
        for thing in (slotted, frozen):
            try: thing.undeclared = 1
            except (AttributeError, TypeError) as error: print(type(error).__name__, hasattr(thing, "__dict__"))
        print(slotted.a, slotted.b(), Tagged.tag, type(Tagged).__name__, Box[int](3).v, isinstance(both, Goes))
        print(repr(Failure("x", 3)), isinstance(inner, Outer.Inner), weak() is kept, weak_values["k"].v)
        """,
    )
    assert "['both', 'left', 'right', 'leaf']" in seen.text
    assert "4 5 Tagged Meta" in seen.text


def test_patched_lazy_and_shadowed(nb: Notebook) -> None:
    nb.run(
        """
        times = 2
        torch.Tensor.twice = lambda self: self * times
        def describe(self): return type(self).__name__
        nn.Module.describe = describe
        pd.DataFrame.shout = property(lambda self: "LOUD")
        @pd.api.extensions.register_dataframe_accessor("rows")
        class Rows:
            def __init__(self, frame): self.n = len(frame)
        torch.optim.Optimizer.who = lambda self: "optimizer"
        setattr(torch.nn.functional, "tripled", lambda x: x * 3)
        np.random.mine = lambda: "mine"
        pathlib.Path.shorter = classmethod(lambda cls, x: cls(x).name)
        import importlib.util
        def lazy(name):
            spec = importlib.util.find_spec(name)
            spec.loader = importlib.util.LazyLoader(spec.loader)
            module = sys.modules[name] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return module
        waiting = lazy("colorsys")
        list, sum, input, type_, max = [1, 2], 5, torch.ones(1), 3, "max"
        """
    )
    same(
        nb,
        """
        table = pd.DataFrame({"a": [1]})
        print(torch.ones(2).twice(), nn.Linear(1, 1).describe(), table.shout, table.rows.n)
        print(torch.optim.SGD([torch.ones(1)], lr=1).who(), F.tripled(torch.ones(1)))
        print(np.random.mine(), pathlib.Path.shorter("a/b"))
        print(waiting.rgb_to_hsv(1, 0, 0), list, sum, input, max, min(1, 2))
        """,
    )
    nb.run("del list, sum, input, max")


def test_aliases_views_and_deep_objects(nb: Notebook) -> None:
    nb.run(
        """
        class Value:
            def __init__(self, data, children=()):
                self.data, self.grad, self._prev, self._backward = data, 0.0, set(children), lambda: None
            def __add__(self, other):
                out = Value(self.data + other.data, (self, other))
                def _backward():
                    self.grad += out.grad
                    other.grad += out.grad
                out._backward = _backward
                return out
        start = Value(1.0); total = start; one = Value(1.0)
        for _ in range(5_000): total = total + one
        linked = None
        for i in range(5_000): linked = {"next": linked, "i": i}
        w, b = torch.ones(2, requires_grad=True), torch.zeros(1, requires_grad=True)
        params = [w, b]
        base = np.arange(6.0); column, every = base[:3], base[::2]
        tensor = torch.arange(6.0); part = tensor[2:4]; flat = tensor[1:].numpy()
        numbers = np.arange(4.0); wrapped = torch.from_numpy(numbers).view(2, 2)
        tied = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)]); tied[1].weight = tied[0].weight
        state = {"w": w}; nested = [params, state]; itself = []; itself.append(itself)
        """
    )
    seen = same(
        nb,
        """
        order, stack = [], [total]
        while stack:
            node = stack.pop(); order.append(node)
            stack.extend(n for n in node._prev if n is not one)
        total.grad = 1.0
        for node in order: node._backward()
        length = 0
        node = linked
        while node: node, length = node["next"], length + 1
        print(total.data, start.grad, one.grad, length)
        del order, stack, node
        (params[0].sum() * 3 + params[1]).backward()
        with torch.no_grad():
            for p in params: p -= 0.1 * p.grad
        print(w, b.grad, params[0] is w, nested[1]["w"] is nested[0][0], itself[0] is itself)
        print(tied[0].weight is tied[1].weight)
        base[0] = 99; tensor[2] = 7; numbers[0] = 8; wrapped[1, 1] = 9
        print(column, every, part, flat, numbers, wrapped)
        """,
    )
    assert seen.text.startswith("5001.0 1.0 5000.0 5000\n")


def test_what_is_defined_in_a_run_is_used_by_the_next(nb: Notebook) -> None:
    nb.run("offset = 1")
    nb.train(
        "first",
        """
        def scaled(x): return x * rate + offset
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.layer = nn.Linear(2, 1)
            def forward(self, x): return scaled(self.layer(x))
        rate = 2
        net = Net()
        seed_of = lambda: offset
        """,
    )
    nb.run("%runs load first\noffset = 100")
    assert nb.value("(scaled(1), seed_of(), isinstance(net, Net), net(torch.zeros(1, 2)).shape[0])") == (
        102,
        100,
        True,
        1,
    )
    nb.train(
        "second",
        "rate = 3\nsecond_net = Net()\nanswer = scaled(1), isinstance(net, Net), type(second_net) is type(net)",
    )
    assert nb.value("second.result['answer']") == (103, True, True)
    assert nb.value("isinstance(second.result['second_net'], Net)") is True


def test_changed_in_place_and_bound_to_nothing_new(nb: Notebook) -> None:
    begin = textwrap.dedent(
        """
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(2, 4), nn.Dropout(0.5), nn.Linear(4, 1))
        alias, weight = model, model[0].weight
        opt = torch.optim.Adam(model.parameters(), lr=0.1)
        sched = torch.optim.lr_scheduler.ExponentialLR(opt, 0.5)
        leaf = torch.ones(3, requires_grad=True)
        history, best, seen_ids = [], {"loss": 9.0}, set()
        array, rng, py = np.zeros(3), np.random.default_rng(0), random.Random(0)
        gen, old = torch.Generator(), np.random.RandomState(0)
        """
    )
    nb.run(begin)
    nb.run(
        """
        class Augment:
            def __init__(self): self.rng, self.calls = rng, 0
            def __call__(self): self.calls += 1; return self.rng.random()
        augment = Augment()
        def step():
            opt.zero_grad(); loss = model(torch.ones(4, 2)).pow(2).sum(); loss.backward(); opt.step(); sched.step()
            return loss.item()
        """
    )
    cell = """
        for _ in range(3):
            history.append(step()); best["loss"] = history[-1]; seen_ids.add(_)
        (leaf * 2).sum().backward()
        array += rng.random(3); augment(); py.random(); torch.rand(2, generator=gen); old.rand()
        model.eval()
        """
    look = """
        print([h.hex() for h in history], best["loss"].hex(), sorted(seen_ids), leaf.grad)
        print(array.tolist(), augment.calls, sched.get_last_lr())
        print([p.sum().item().hex() for p in model.parameters()], weight.grad.sum().item().hex(), model.training)
        print(opt.param_groups[0]["lr"], opt.state_dict()["state"][0]["exp_avg"].sum().item().hex())
        print(rng.random().hex(), augment().hex(), py.random().hex(), torch.rand(1, generator=gen), old.rand().hex())
        print(alias is model, weight is model[0].weight, opt.param_groups[0]["params"][0] is weight, augment.rng is rng)
        """
    nb.train("inplace", cell)
    nb.run("_untouched = [p.sum().item() for p in model.parameters()], len(history), leaf.grad is None")
    assert nb.value("_untouched[1:]") == (0, True), "nothing changes before it is loaded"
    reply = nb.run("%runs load inplace")
    assert "updated in place" in reply.text
    loaded = inline(nb, look).text
    # The same inline, from the same beginning, in a fresh set of variables.
    nb.run(begin + "augment = Augment()\n")
    nb.run(cell)
    assert loaded == inline(nb, look).text


def test_grad_is_read_by_a_later_cell(nb: Notebook) -> None:
    nb.run("net_g, leaf_g = nn.Linear(2, 1), torch.ones(2, requires_grad=True)")
    nb.train("grads", "loss = (net_g(leaf_g)).sum()\nloss.backward()\nkept_loss = loss")
    nb.run("%runs load grads")
    assert nb.value("net_g.bias.grad.tolist()") == [1.0]
    assert nb.value("torch.equal(leaf_g.grad, net_g.weight[0].detach())") is True
    again = nb.run("kept_loss.backward()", fails=True)
    assert "its autograd graph stayed there" in again.error
    assert same(nb, "print(leaf_g.grad is not None, net_g.weight.grad.shape)").text == "True torch.Size([1, 2])\n"


def test_files_written_into_the_working_directory(nb: Notebook) -> None:
    nb.run(
        """
        class Saved(nn.Module):
            def __init__(self): super().__init__(); self.layer = nn.Linear(2, 2)
            def forward(self, x): return self.layer(x)
        saved = Saved()
        """
    )
    nb.train(
        "files",
        """
        torch.save(saved, "whole.pt"); torch.save(saved.state_dict(), "state.pt")
        pathlib.Path("notes.txt").write_text("written")
        np.save("array.npy", np.arange(3)); pd.DataFrame({"a": [1]}).to_csv("table.csv", index=False)
        import pickle; pickle.dump({"model": saved}, open("model.pkl", "wb"))
        """,
    )
    assert nb.value("isinstance(torch.load('whole.pt', weights_only=False), Saved)") is True
    assert nb.value("isinstance(__import__('pickle').load(open('model.pkl', 'rb'))['model'], Saved)") is True
    assert nb.value("str(saved.load_state_dict(torch.load('state.pt')))") == "<All keys matched successfully>"
    assert nb.value(
        "(open('notes.txt').read(), np.load('array.npy').tolist(), pd.read_csv('table.csv').a[0].item())"
    ) == (
        "written",
        [0, 1, 2],
        1,
    )


def test_much_output(nb: Notebook) -> None:
    nb.train("much", "for i in range(250_000): print('line', i)")
    assert nb.value("(much.output.count(chr(10)), much.output[-12:])") == (250_000, "line 249999\n")
    assert nb.value("len(much.output_tail(1000)) <= 1000") is True


def test_pasted_script(nb: Notebook) -> None:
    nb.run("sys.argv = ['kernel', '-f', 'connection.json']")
    seen = same(
        nb,
        '''
        #!/usr/bin/env python
        """A script."""
        from __future__ import annotations
        import argparse, sys

        def parse(argv=None):
            parser = argparse.ArgumentParser(description=__doc__)
            parser.add_argument("--lr", type=float, default=0.1)
            return parser.parse_args([] if argv is None else argv), parser.parse_known_args()[0].lr

        def main(options: Options) -> int:
            print("lr", options.lr, __name__)
            return 0

        if __name__ == "__main__":
            options, known = parse()
            print(known)
            main(options)
        ''',
    )
    assert seen.text == "0.1\nlr 0.1 __main__\n"
    nb.train("left", "if __name__ == '__main__':\n    import sys\n    done = 1\n    sys.exit(0)\nnever = 2")
    assert nb.value("list(left.result)") == ["done"]
    nb.train("left_badly", "import sys\nsys.exit(3)", state="failed")
    assert nb.value("left_badly.cause") == "SystemExit: 3"


def test_last_times_model_is_not_sent(nb: Notebook) -> None:
    cell = """
        weights = torch.zeros(300_000)
        for i in range(3): weights += i
        def use(): return weights.sum().item()
        total = use()
        """
    nb.train("once", cell)
    nb.run("%runs load once")
    nb.train("twice", cell)
    assert nb.value("twice.result['total'] == once.result['total'] == 900_000.0") is True
    assert (
        nb.value("twice.spec.inputs.nbytes < 10_000 and 'weights' not in [n.name for n in twice.spec.inputs.names]")
        is True
    )


def test_big_frame_and_other_data(nb: Notebook) -> None:
    nb.run(
        """
        frame = pd.DataFrame({"n": np.arange(300_000), "x": np.random.rand(300_000), "s": ["abc", None, "é"] * 100_000})
        frame["when"] = pd.Timestamp("2026-01-01"); frame["kind"] = frame["s"].astype("category")
        frame = frame.set_index(["n", "kind"])
        ragged = [np.ones(i) for i in range(3)]; objects = np.array([1, "a", None], dtype=object)
        structured = np.zeros(2, dtype=[("a", "i4"), ("b", "f8")]); fortran = np.asfortranarray(np.ones((2, 3)))
        sparse = torch.eye(3).to_sparse(); half = torch.ones(2, dtype=torch.bfloat16); empty = torch.empty(0, 3)
        counting, iterator, pattern, getter = itertools.count(4), iter([7, 8]), re.compile("a+"), operator.itemgetter(1)
        pathlib.Path("some.txt").write_text("content"); opened = open("some.txt")
        hooked, calls = nn.Linear(1, 1), []
        hooked.register_forward_hook(lambda m, i, o: calls.append(tuple(o.shape)))
        """
    )
    same(
        nb,
        """
        print(frame.dtypes, frame.shape, frame["x"].sum().hex(), frame.head(2), frame["s"].isna().sum())
        print(ragged, objects, structured, fortran.flags.f_contiguous, sparse.to_dense().tolist(), half, empty.shape)
        print(next(counting), next(iterator), pattern.match("aa").group(), getter([1, 2]), opened.read())
        hooked(torch.ones(2, 1)); print(calls)
        """,
    )


def test_what_a_function_of_the_notebook_cannot_bring_along(nb: Notebook) -> None:
    nb.run("import threading, sqlite3\nlock, db = threading.Lock(), sqlite3.connect(':memory:')")
    nb.run("def unused(): return db\ndef used(): return lock")
    assert tracked(nb, "flag = True\nif not flag: unused()\nprint('fine')").text == "fine\n"
    before = nb.value("len(os.listdir(job.path.parent))")
    for cell, says in (
        ("lock.acquire()", "cannot send `lock`: it is a thread.lock"),
        ("used()", "cannot send `used`: used() uses the global 'lock', a thread.lock"),
    ):
        assert says in nb.run(f"%%train job\n{cell}", fails=True).text
    assert nb.value("len(os.listdir(job.path.parent))") == before
