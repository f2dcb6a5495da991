"""``%%sweep``: the cell below is run again and again, in search of its best parameters."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_cell_magic, magics_class

from mlwidgets import api
from mlwidgets.commands.common import seconds
from mlwidgets.errors import MlwidgetsError
from mlwidgets_magics.sending import Sending, given, name_and_binding, origin, parser_of
from mlwidgets_magics.words import LineParser, help_of, is_param, read_params, refuse_names, split_words

if TYPE_CHECKING:
    from mlwidgets.sweeps.sweep import Sweep


def parser() -> LineParser:
    """Return a parser of what may be asked of a search."""
    known = parser_of("%%sweep")
    known.add_argument("--maximize", action="append", default=[], metavar="METRIC")
    known.add_argument("--minimize", action="append", default=[], metavar="METRIC")
    known.add_argument("--trials", type=int, metavar="N")
    known.add_argument("--concurrent", type=int, metavar="N")
    known.add_argument("--stop", metavar="POLICY")
    known.add_argument("--sampler", default="tpe", metavar="NAME")
    known.add_argument("--value", default="last", metavar="last|best")
    known.add_argument("--max-time", type=seconds, metavar="T")
    known.add_argument("--max-gpu-hours", type=float, metavar="H")
    known.add_argument("--target", type=float, metavar="VALUE")
    known.add_argument("--patience", type=int, metavar="N")
    known.add_argument("--max-failures", type=int, default=3, metavar="N")
    known.add_argument("--warm-start", action="append", default=[], metavar="RUNS")
    known.add_argument("--dry-run", action="store_true")
    return known


@magics_class
class SweepMagics(Magics):
    """Sends searches off."""

    shell: Any

    def __init__(self, shell: Any, sending: Sending) -> None:
        super().__init__(shell)
        self._sending = sending

    @line_cell_magic
    def sweep(self, line: str, cell: str | None = None) -> Any:
        """Search the parameters of the cell: each trial is a tracked run of it. Returns at once.

        %%sweep NAME --maximize METRIC [--trials N] [--concurrent N] [--stop POLICY] [--sampler NAME]
                [--max-time T] [--max-gpu-hours H] [--target VALUE] [--patience N] [--max-failures N]
                [--value last|best] [--warm-start RUNS] [what %%train takes]
                param=DISTRIBUTION … [param=value …]

        NAME is bound to the Sweep (lenet-search to lenet_search). METRIC is what the cell logs. A
        DISTRIBUTION is one of
          choice(32,64,128)   uniform(0,1)   loguniform(1e-5,1e-1)   normal(0,1)   lognormal(0,1)
          randint(1,8)        quniform(0,1,0.1)   qloguniform(16,1024,16)   qnormal(…)   qlognormal(…)
        and may depend on a choice:  momentum=uniform(0.5,0.99).when(optimizer=sgd)

        --maximize, --minimize METRIC   what to look for; several of them: their Pareto front
        --trials N          how many trials (default 20; all combinations of a grid)
        --concurrent N      how many at once (default: as many as this machine has room for)
        --stop POLICY       end poor trials early: bandit:slack=0.1,every=1,delay=5 · median:delay=5 ·
                            truncation:percent=20,delay=5 · patience:intervals=5 · percentile · halving ·
                            hyperband · wilcoxon
        --sampler NAME      tpe (default), random, grid, qmc, cmaes, gp, nsga2
        --value last|best   what stands for a trial: its last logged value (default) or its best one
        --max-time T        no trial starts after that time, and those that run are stopped
        --max-gpu-hours H   the same for the hours on GPUs of all trials together
        --target VALUE      good enough: the sweep ends when a trial reaches it
        --patience N        end after N trials without a better best
        --max-failures N    pause after N failures of one cause in a row (default 3)
        --warm-start RUNS   learn from these sweeps and runs (comma-separated)
        --seed N            seed the trials, and the search: with --concurrent 1 it is repeatable
        --dry-run           start nothing: show which trials of the sweep NAME the POLICY would have ended
        --wait              block until the sweep has ended, or has paused itself, which is an error; loads nothing
        --gpus, --cpus, --timeout, --retries, … as with %%train, for each trial
        """
        words = split_words(line)
        if "--help" in words or "-h" in words:
            print(help_of(SweepMagics.sweep))
            return None
        options = parser().parse_intermixed_args(words)
        name, binding = name_and_binding(options.words, "%%sweep")
        if name is None:
            raise UsageError(
                "%%sweep needs a name: %%sweep lenet-search --maximize val_accuracy lr=loguniform(1e-5,1e-1)"
            )
        try:
            if options.dry_run:
                return _replay(name, options.stop)
            if cell is None or not cell.strip():
                raise UsageError("%%sweep: write it on top of the code to search; %%sweep --help lists the options")
            found = self._submit(name, binding, options, line, cell)
        except MlwidgetsError as error:
            raise UsageError(str(error)) from None
        self._sending.see_off(found, binding, wait=options.wait)
        return None

    def _submit(self, name: str, binding: str | None, options: argparse.Namespace, line: str, cell: str) -> Sweep:
        from mlwidgets.sweeps.space import parse_dimension
        from mlwidgets.sweeps.space.text import bare_words

        namespace = self.shell.user_ns
        space: dict[str, str] = {}
        fixed: list[str] = []
        for word in filter(is_param, options.words):
            param, _, text = word.partition("=")
            if parse_dimension(param, text) is None:
                fixed.append(word)
            elif param in space:
                raise UsageError(f"parameter {param!r} is given twice")
            else:
                refuse_names(param, bare_words(text), namespace)
                space[param] = text
        return api.sweep(
            cell,
            space=space,
            maximize=options.maximize,
            minimize=options.minimize,
            name=name,
            params=read_params(fixed, taken=namespace),
            namespace=namespace,
            trials=options.trials,
            concurrent=options.concurrent,
            stop_early=options.stop,
            sampler=options.sampler,
            value=options.value,
            max_time=options.max_time,
            max_gpu_hours=options.max_gpu_hours,
            target=options.target,
            patience=options.patience,
            max_failures=options.max_failures,
            warm_start=[one for text in options.warm_start for one in text.split(",") if one],
            origin=origin(self.shell, f"%%sweep {line}", binding),
            **given(options),
        )


def _replay(name: str, policy: str | None) -> Any:
    from mlwidgets.sweeps.sweep import Sweep

    if policy is None:
        raise UsageError("%%sweep --dry-run: say which policy: --stop bandit:slack=0.1,delay=5")
    found = api.run(name)
    if not isinstance(found, Sweep):
        raise UsageError(f"%%sweep --dry-run: {name} is no sweep; name one that has ended")
    return found.replay(policy)
