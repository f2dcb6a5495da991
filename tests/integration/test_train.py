"""The main job: from a cell to a tracked run and back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.notebook import Notebook


@pytest.fixture(scope="module")
def nb(shared_notebook: Notebook) -> Notebook:
    shared_notebook.run("import torch\nfrom mlwidgets import log, save\nimport mlwidgets")
    return shared_notebook


def test_returns_at_once_and_brings_results_back(nb: Notebook) -> None:
    nb.run("scale = 3")
    nb.train("simple", "import time\nvalue = [scale * i for i in range(4)]\nprint('worked')\nsum(value)")
    assert nb.value("simple.output") == "worked\n"
    assert nb.value("list(simple.result.keys())") == ["value"]
    assert nb.value("simple.result['value']") == [0, 3, 6, 9]
    assert nb.value("[d.data for d in simple.displays()]") == [{"text/plain": "18"}]
    assert nb.value("'value' in globals()") is False
    nb.run("%runs load simple")
    assert nb.value("(value, time.__name__)") == ([0, 3, 6, 9], "time")


def test_kernel_is_free_while_it_runs(nb: Notebook) -> None:
    nb.train("slow", "import time\ntime.sleep(60)", state=None)
    assert nb.value("1 + 1") == 2
    assert nb.value("slow.ended") is False
    nb.run("slow.stop()\nslow.wait(30)")
    assert nb.value("(slow.state, slow.cause)") == ("stopped", "stopped by user")


def test_wait_raises_what_the_run_raised_and_shows_the_cells_lines(nb: Notebook) -> None:
    reply = nb.run("%%train broken --wait\nx = 1\n\ndef f():\n    raise KeyError('lost')\n\nf()\n", fails=True)
    assert "KeyError" in reply.error
    number = nb.value("get_ipython().execution_count") - 1
    assert f"Cell In[{number}], line 7\n" in re.sub(r"\x1b\[[\d;]*m", "", reply.error)
    assert nb.value("broken.state") == "failed"
    assert nb.value("broken.cause") == "KeyError: 'lost'"
    assert nb.value("'lost' in broken.error and 'KeyError' in broken.error")
    assert nb.value("x") == 1, "what was bound before the error comes back, as inline"


def test_wait_loads_results(nb: Notebook) -> None:
    nb.run("%%train waited --wait\nwaited_for = 5")
    assert nb.value("waited_for") == 5


def test_parameters_replace_add_and_are_typed(nb: Notebook) -> None:
    nb.run("lr = 0.5")
    nb.train("typed lr=1e-3 layers=[1, 2] opt=adam flag=None", "got = (lr, layers, opt, flag)")
    assert nb.value("typed.result['got']") == (1e-3, [1, 2], "adam", None)
    assert nb.value("typed.params") == {"lr": 1e-3, "layers": [1, 2], "opt": "adam", "flag": None}
    assert nb.value("lr") == 0.5


def test_a_parameter_reaches_functions_of_the_notebook(nb: Notebook) -> None:
    nb.run("rate = 1\ndef shifted(x):\n    return x + rate")
    nb.train("reach rate=10", "answer = shifted(1)")
    assert nb.value("reach.result['answer']") == 11


def test_a_name_the_cell_sets_is_seen_by_the_notebooks_functions(nb: Notebook) -> None:
    nb.run("factor = 1\ndef scaled(x):\n    return x * factor")
    nb.train("globals_shared", "factor = 3\nanswer = scaled(2)")
    assert nb.value("globals_shared.result['answer']") == 6


@pytest.mark.parametrize(
    ("line", "cell", "says"),
    [
        ("p lr=3", "lr = 4", "parameter 'lr' would have no effect: the cell assigns `lr` itself in line 2"),
        ("p", "print(nowhere)", "reads `nowhere` in line 2, which the notebook does not have"),
        ("p", "print(conn)", "cannot send `conn`: it is a sqlite3.Connection; create it inside the cell"),
        ("p", "print(cfg)", "cannot send `cfg`: cfg['a'][0]() uses the global 'conn', a sqlite3.Connection"),
        ("p", "print(gen)", "cannot send `gen`: it is a generator"),
        ("conn", "conn = 1", "the cell uses the name `conn` itself"),
        ("p --seed x", "pass", "argument --seed: invalid int value: 'x'"),
        ("p --seed -1", "pass", "the seed must lie between 0 and"),
        ("p --timeout soon", "pass", "--timeout: invalid time, such as 90, 90s, 15m, 2h or 1d, value: 'soon'"),
        ("p --timeout 0", "pass", "the time-out must be more than 0 seconds"),
        ("a b", "pass", "takes one name, not 2: a b (put quotes around a text with spaces)"),
        ("p lr = 3", "pass", "takes one name, not 4: p lr = 3 (no spaces around '=')"),
        ("cfg", "pass", "the notebook has a `cfg` already, so the run needs another one: %%train cfg_run"),
        ("print", "pass", "`print` is one of Python's built-in names"),
        ("class", "pass", "`class` is a word of Python's own"),
        ("p", "print(cfgg)", "did you mean `cfg`? run the cell that defines it first"),
        ("p --tag x", "pass", "write --tag key=value"),
        ("p lr=1e-3x!", "pass", "the value is no Python literal"),
        ("p x=1 x=2", "pass", "parameter 'x' is given twice"),
        ("p -i nothere", "pass", "the notebook has no `nothere`"),
        ("p -o nothere", "pass", "the cell neither binds nor reads `nothere`"),
        ("p --nope", "pass", "there is no option --nope"),
        ("p", "def (:", "the cell is no valid Python: invalid syntax (line 2)"),
        ("p", "   ", "cell body is empty"),
        ("p x=[1", "pass", "] is not closed"),
        ("ünïcode/slash", "pass", "cannot be"),
    ],
)
def test_mistakes_are_one_line_and_start_nothing(nb: Notebook, line: str, cell: str, says: str) -> None:
    nb.run("import sqlite3\nconn = sqlite3.connect(':memory:')\ncfg = {'a': [lambda: conn]}\ngen = (i for i in [1])")
    before = nb.value("len(mlwidgets.runs())")
    reply = nb.run(f"%%train {line}\n{cell}", fails=True)
    assert says in reply.text + reply.error
    assert "Traceback" not in reply.text + reply.error
    assert nb.value("len(mlwidgets.runs())") == before


def test_log_and_metrics(nb: Notebook) -> None:
    nb.train(
        "logged",
        """
        import numpy as np
        for i in range(3):
            log(loss=torch.tensor(1.0 / (i + 1)), accuracy=np.float32(i))
        log({"val/loss": float("nan")}, step=7)
        log(loss=float("inf"))
        """,
    )
    assert nb.value("logged.metrics['accuracy'].dropna().to_dict()") == {0: 0.0, 1: 1.0, 2: 2.0}
    assert nb.value("list(logged.metrics.columns)") == ["loss", "accuracy", "val/loss"]
    assert nb.value("str(logged.metrics['loss'][3])") == "inf"
    assert nb.value("[c.steps.tolist() for c in logged.columns().values()]") == [[0, 1, 2, 3], [0, 1, 2], [7]]
    assert nb.value("str(logged.columns()['val/loss'].values[0])") == "nan"
    assert nb.value("logged.history().columns.tolist()") == ["metric", "step", "value", "time"]
    assert nb.value("len(logged.history())") == 8


def test_log_says_what_is_wrong_and_names_the_metric(nb: Notebook) -> None:
    nb.train("wrong_type", "log(loss=1.0, accuracy='high')", state="failed")
    assert nb.value("wrong_type.cause") == "TypeError: log: metric 'accuracy' must be one number, not str 'high'"
    assert nb.value("len(wrong_type.metrics)") == 0, "nothing of a refused call is recorded"
    shown = re.sub(r"\x1b\[[\d;]*m", "", nb.value("wrong_type.error"))
    assert shown.split("\n")[-3:] == ["----> 2 log(loss=1.0, accuracy='high')", "", f"{nb.value('wrong_type.cause')}"]
    nb.train("wrong_shape", "log(loss=torch.ones(2))", state="failed")
    assert "must be one number, not Tensor of shape (2,)" in nb.value("wrong_shape.cause")


def test_log_as_other_trackers_have_it_says_what_to_write(nb: Notebook) -> None:
    for call in ("log('loss', 3)", "log(0.5)", "log([1])"):
        assert "log: write log(loss=0.3) or log({'loss': 0.3}, step=1), not log(" in nb.run(call, fails=True).error


def test_a_parameter_that_nothing_reads_is_pointed_out(nb: Notebook) -> None:
    nb.run("epochs = 2\nwidth = 3\ndef wide():\n    return width")
    reply = nb.train("mistyped epcohs=9 width=4", "n = epochs * wide()")
    assert "nothing in the cell reads the parameter 'epcohs'; did you mean `epochs`?" in reply.text
    assert "width" not in reply.text
    assert nb.value("mistyped.result['n']") == 8


def test_argparse_of_a_script_sees_no_arguments_of_the_kernel(nb: Notebook) -> None:
    nb.train(
        "script",
        """
        import argparse
        def main():
            parser = argparse.ArgumentParser()
            parser.add_argument("--lr", type=float, default=0.1)
            print(parser.parse_args().lr)
        if __name__ == "__main__":
            main()
        """,
    )
    assert nb.value("script.output") == "0.1\n"


def test_exit_ends_the_code(nb: Notebook) -> None:
    nb.train("leaving", "print('before')\nexit()\nprint('after')")
    assert "after" not in nb.value("leaving.output").replace("before", "")


def test_log_and_save_outside_a_run_say_so_once(nb: Notebook) -> None:
    reply = nb.run("log(loss=1)\nlog(loss=1)\nsave('x', name='y.txt')\nsave('x', name='y.txt')")
    assert reply.text.count("log() does nothing here") == 1
    assert reply.text.count("save() does nothing here") == 1


def test_save(nb: Notebook) -> None:
    nb.run("from pathlib import Path\nPath('report.txt').write_text('numbers')")
    nb.train(
        "saving",
        """
        import matplotlib.pyplot as plt
        import numpy as np
        fig, ax = plt.subplots(); ax.plot([1, 2]); plt.close(fig)
        save("report.txt"); save(fig, "curve.png"); save(torch.nn.Linear(2, 1).state_dict(), "best.pt")
        save(np.arange(3)); save("some text", name="notes/a.txt")
        for bad in ("../out.txt", "/tmp/out.txt"):
            try: save("x", name=bad)
            except ValueError as error: print(error)
        """,
    )
    assert nb.value("saving.artifacts") == ["report.txt", "curve.png", "best.pt", "array.npy", "notes/a.txt"]
    assert nb.value("(saving.outputs / 'report.txt').read_text()") == "numbers"
    assert nb.value("(saving.outputs / 'curve.png').read_bytes()[:4]") == b"\x89PNG"
    assert nb.value("list(torch.load(saving.outputs / 'best.pt'))") == ["weight", "bias"]
    assert nb.value("saving.output").count("leads out of the run's outputs") == 2


def test_only_what_is_asked_for_comes_back(nb: Notebook) -> None:
    nb.train("chosen -o keep", "keep = 1\ndrop = 2")
    assert nb.value("list(chosen.result)") == ["keep"]


def test_names_seen_by_no_analysis_can_be_sent(nb: Notebook) -> None:
    nb.run("hidden = 41")
    nb.train("extra -i hidden", "import builtins\nfound = getattr(builtins, 'globals')()['hidden'] + 1")
    assert nb.value("extra.result['found']") == 42


def test_tags_and_note(nb: Notebook) -> None:
    nb.train("tagged --tag stage=dry --tag who=me --note 'first try, small'", "pass")
    assert nb.value("(tagged.tags, tagged.note)") == ({"stage": "dry", "who": "me"}, "first try, small")


def test_name_that_is_no_identifier(nb: Notebook) -> None:
    nb.train("lenet-search", "a = 1")
    assert nb.value("lenet_search.name") == "lenet-search"


def test_cell_without_a_name(nb: Notebook) -> None:
    nb.run("%%train\nunnamed = 1")
    assert nb.value("mlwidgets.runs()[0].name").startswith("cell-")
    nb.run("mlwidgets.runs()[0].wait(60)")


def test_runs_magic(nb: Notebook) -> None:
    nb.train("listed lr=0.25", "print('hello from the run')\nlog(loss=0.5)")
    table = nb.run("%runs").shown[0]
    assert "listed" in table["text/plain"]
    assert "0.25" in table["text/html"]
    assert nb.run("%runs logs listed").text == "hello from the run\n"
    assert "has ended already: finished" in nb.run("%runs stop listed").text
    shown = nb.run("%runs show listed").shown
    assert len(shown) == 1
    assert "hello from the run" in shown[0]["text/plain"]
    assert "no run 'nobody' in the store" in nb.run("%runs show nobody", fails=True).text
    assert "usage: %runs" in nb.run("%runs dance", fails=True).text
    assert "it has:" in nb.run("%runs load listed nothing", fails=True).text


def test_help_and_stopping_several(nb: Notebook) -> None:
    for line in ("%%train --help", "%%train -h\n1 / 0", "%train --help"):
        text = nb.run(line).text
        assert text.startswith("Send the cell off as a tracked run")
        assert "\n--timeout T   end the run after that time" in text
    assert nb.run("%runs --help").text.startswith("List the project's runs")
    assert "on top of the code to run" in nb.run("%train lenet", fails=True).text
    for name in ("first", "second"):
        nb.train(f"{name} --cpus 0", "import time\ntime.sleep(60)", state=None)
    reply = nb.run("%runs stop first second")
    assert reply.text == "first: asked to stop\nsecond: asked to stop\n"
    assert nb.value("(first.wait(30).state, second.wait(30).state)") == ("stopped", "stopped")


def test_timeout(nb: Notebook) -> None:
    nb.train(
        "late --timeout 1", "import time\ntry:\n    time.sleep(60)\nfinally:\n    print('cleaned up')", state="timeout"
    )
    assert nb.value("late.cause") == "ran longer than its time-out of 1 s"
    assert nb.value("late.output") == "cleaned up\n"


def test_stop_keeps_what_was_trained_so_far(nb: Notebook) -> None:
    nb.train("long", "import time\nweights = []\nwhile True:\n    weights.append(1)\n    time.sleep(0.01)", state=None)
    nb.run("import time\nwhile long.state != 'running': time.sleep(0.05)\ntime.sleep(0.3)\nlong.stop(); long.wait(30)")
    assert nb.value("long.state") == "stopped"
    assert nb.value("len(long.result['weights']) > 1")


def test_train_a_function_from_python(nb: Notebook) -> None:
    nb.run(
        """
        def fit(lr, epochs=2):
            for i in range(epochs):
                log(loss=lr / (i + 1))
            return {"best": lr / epochs}
        job = mlwidgets.train(fit, params={"lr": 4.0}).wait()
        """
    )
    assert nb.value("(job.name, job.state, job.result['result'])") == ("fit", "finished", {"best": 2.0})
    reply = nb.run("mlwidgets.train(fit)", fails=True)
    assert "fit() needs lr" in reply.error


def test_python_values_as_parameters(nb: Notebook) -> None:
    nb.run("job = mlwidgets.train('total = float(weights.sum())', params={'weights': torch.ones(3)}).wait()")
    assert nb.value("job.result['total']") == 3.0


def test_same_tensor_is_stored_once(nb: Notebook) -> None:
    nb.run("big = torch.arange(1_000_000.0)")
    nb.train("once", "total = big.sum().item()")
    before = nb.value(
        "sorted(p.name for p in (once.path.parent.parent / 'objects').iterdir() if p.stat().st_size > 1e6)"
    )
    nb.train("twice", "total = big.sum().item()")
    after = nb.value(
        "sorted(p.name for p in (once.path.parent.parent / 'objects').iterdir() if p.stat().st_size > 1e6)"
    )
    assert len(before) == 1
    assert before == after
    assert nb.value("twice.result['total'] == big.sum().item()")


def test_recorded_from_the_first_day(nb: Notebook) -> None:
    nb.train("recorded lr=1 --seed 5", "pass")
    nb.run("import time\nwhile not recorded.environment: time.sleep(0.05)")
    assert nb.value("recorded.spec.code") == "pass\n"
    assert nb.value("(recorded.spec.seed, recorded.spec.provenance.host != '')") == (5, True)
    assert nb.value("recorded.environment['packages']['torch'].split('+')[0]") == nb.value(
        "torch.__version__.split('+')[0]"
    )
    assert nb.value("recorded.environment['git']") is None
    assert nb.value("recorded.spec.provenance.threads['torch'] == torch.get_num_threads()")


def test_git_state_is_recorded(notebook: Notebook) -> None:
    for command in (
        "git init -q .",
        "git -c user.name=a -c user.email=a@b commit -q --allow-empty -m first",
    ):
        notebook.run(f"!{command}")
    gathered = "import time\nwhile not {}.environment: time.sleep(0.05)"
    notebook.train("clean", "pass")
    notebook.run(gathered.format("clean"))
    notebook.run("open('new.txt', 'w').close()")
    notebook.train("dirty", "pass")
    notebook.run(gathered.format("dirty"))
    commit = notebook.run("!git rev-parse HEAD").text.strip()
    assert notebook.value("clean.environment['git']['commit']") == commit
    assert notebook.value("[r.environment['git']['dirty'] for r in (clean, dirty)]") == [False, True]


def test_submodules_reached_through_their_package(nb: Notebook) -> None:
    nb.run("import xml.etree.ElementTree\nimport sklearn.linear_model\nimport os.path")
    nb.train("reached", "root = xml.etree.ElementTree.fromstring('<a/>').tag\nfit = sklearn.linear_model.Ridge().alpha")
    assert nb.value("(reached.result['root'], reached.result['fit'])") == ("a", 1.0)


def test_a_batch_job_that_would_take_runs_along_is_told_of_once(tmp_path: Path) -> None:
    nb = Notebook(tmp_path, {"SLURM_JOB_ID": "4711"})
    try:
        assert "SLURM" in nb.train("first", "pass").text
        assert "SLURM" not in nb.train("second", "pass").text
    finally:
        nb.close()
