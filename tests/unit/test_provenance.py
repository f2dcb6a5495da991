"""What is gathered around a run: git, machine, installed packages, data; what of it is kept, and what is let go of."""

from __future__ import annotations

import gzip
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any

import pytest

from mlwidgets.archives.exporting import export
from mlwidgets.archives.importing import import_runs
from mlwidgets.capture.contents import CACHE, DigestCache, read_contents
from mlwidgets.capture.data import check_data, named_data
from mlwidgets.capture.environment import write_environment
from mlwidgets.capture.hardware import cpu_model, memory
from mlwidgets.capture.installed import installed
from mlwidgets.capture.libraries import used_libraries
from mlwidgets.cli import main
from mlwidgets.errors import ParameterError
from mlwidgets.history.comparing.runs import GROUPS, compare_runs
from mlwidgets.history.git import keeping
from mlwidgets.history.git.repository import Repository
from mlwidgets.housekeeping import checking
from mlwidgets.housekeeping.pruning import Rule, plan, prune
from mlwidgets.runs.data import read_data
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import write_event
from mlwidgets.runs.libraries import LIBRARIES, read_libraries
from mlwidgets.runs.objects import PIECE, content_digest
from mlwidgets.runs.run import Run
from mlwidgets.runs.spec import Provenance
from mlwidgets.runs.state import FINISHED, Outcome, write_outcome
from mlwidgets.runs.store import RunStore
from mlwidgets.runs.uncommitted import parts_of, read_patch, write_patch
from mlwidgets.views.details import read_details
from mlwidgets.views.runsdiff import HEADS, RunsDiffView
from tests.histories import commit, git

Make = Callable[..., RunFolder]


@pytest.fixture
def project(tmp_path: Path, store: RunStore, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The store's project: a repository with a module in it."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    (tmp_path / ".gitignore").write_text(".mlwidgets\n")
    (tmp_path / "train.py").write_text("rate = 1\n")
    commit(tmp_path)
    return tmp_path


def origin(project: Path) -> Provenance:
    return Provenance(str(project), sys.executable, platform.python_version(), "here", "ann")


def submitted(new_run: Make, project: Path, name: str = "lenet", **fields: Any) -> RunFolder:
    folder = new_run(name, provenance=origin(project), submitted_at=time.time(), **fields)
    write_environment(folder, str(project))
    return folder


def ended(folder: RunFolder) -> RunFolder:
    write_outcome(folder, Outcome(FINISHED, None, time.time(), time.time(), 0))
    return folder


def test_what_is_known_of_the_machine(new_run: Make, project: Path) -> None:
    run = Run(submitted(new_run, project).path)
    told = run.environment
    assert told["cpu"] == cpu_model() not in {"", None}
    assert told["cpu"] in Path("/proc/cpuinfo").read_text() or sys.platform != "linux"
    assert told["memory"] == memory()
    assert told["memory"] > 2**28
    assert told["packages"]["numpy"] == version("numpy")
    assert dict(read_details(run)["facts"])["Processor"] == cpu_model()


def test_what_provides_a_module_is_what_the_slow_way_says() -> None:
    packages, provided = installed()
    slow = packages_distributions()
    for module in ("sklearn", "PIL", "yaml", "dateutil"):
        assert provided[module] == [name.lower() for name in dict.fromkeys(slow[module])]
    assert "numpy" not in provided
    for name in ("scikit-learn", "torch", "pytest"):
        assert packages[name] == version(name)


def test_what_was_not_committed_is_with_the_run(new_run: Make, project: Path) -> None:
    (project / "train.py").write_text("rate = 2\n")
    (project / "new.py").write_text("x = 1\n")
    git(project, "remote", "add", "origin", "https://me:token@example.org/x.git")
    folder = submitted(new_run, project)
    told = Run(folder.path).environment["git"]
    assert told["files"] == ["new.py", "train.py"]
    assert (told["branch"], told["dirty"], told["remote"]) == ("main", True, "https://example.org/x.git")
    assert git(project, "show", f"{told['uncommitted']}:train.py") == "rate = 2\n"
    assert git(project, "for-each-ref", "--format=%(objectname)", "refs/mlwidgets/kept").split() == [
        told["uncommitted"]
    ]
    patch = read_patch(folder)
    assert patch is not None
    assert set(parts_of(patch)) == {"new.py", "train.py"}
    facts = dict(read_details(Run(folder.path))["facts"])
    assert facts["Uncommitted"] == "new.py, train.py (mlwidgets show --diff)"
    assert facts["Repository"] == "https://example.org/x.git"
    assert submitted(new_run, project, "again").environment.exists()
    assert len(git(project, "for-each-ref", "refs/mlwidgets/kept").splitlines()) == 1


def test_a_run_outside_of_git_has_no_git(
    new_run: Make, project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = new_run("lenet", submitted_at=time.time())
    write_environment(folder, str(tmp_path_factory.mktemp("outside")))
    assert Run(folder.path).environment["git"] is None
    assert read_patch(folder) is None


def test_secrets_are_masked_in_the_patch(new_run: Make, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_TOKEN", "hunter2-hunter2")
    (project / "pyproject.toml").write_text('[tool.mlwidgets]\nsecrets = ["API_TOKEN"]\n')
    (project / "new.py").write_text('token = "hunter2-hunter2"\n')
    patch = read_patch(submitted(new_run, project))
    assert patch is not None
    assert b"hunter2" not in patch
    assert b"+token = " in patch


def test_a_large_patch_is_compressed_and_what_is_damaged_is_none(new_run: Make, store: RunStore) -> None:
    folder = new_run()
    patch = b"diff --git a/x b/x\n" + b"+0123456789\n" * 20_000
    write_patch(folder, patch)
    packed = folder.path / "uncommitted.diff.gz"
    assert packed.stat().st_size < 2000
    assert read_patch(folder) == patch
    trial = new_run("trial", trial_of=folder.id, trial=0)
    assert read_patch(trial) == patch
    packed.write_bytes(packed.read_bytes()[:-200])
    assert read_patch(folder) is None
    packed.write_bytes(gzip.compress(b"\0" * 30_000_000))
    assert len(read_patch(folder) or b"") == 20_000_000


def test_show_prints_it_also_in_another_store(
    new_run: Make, store: RunStore, project: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    (project / "train.py").write_text("rate = 2\n")
    (project / "data.bin").write_bytes(bytes(range(256)))
    folder = ended(submitted(new_run, project))
    export(store, ["lenet"], tmp_path / "run.zip")
    other = RunStore(tmp_path / "other" / ".mlwidgets")
    import_runs(other, tmp_path / "run.zip")
    for where in (store, other):
        assert main(["--store", str(where.path), "show", "--diff", "lenet"]) == 0
        printed = capfdbinary.readouterr().out
        assert printed == read_patch(folder)
    clean = tmp_path / "clean"
    git(tmp_path, "clone", "--quiet", ".", str(clean))
    subprocess.run(("git", "apply"), cwd=clean, input=printed, check=True)
    assert (clean / "train.py").read_text() == "rate = 2\n"
    assert (clean / "data.bin").read_bytes() == bytes(range(256))


def test_a_terminal_is_told_nothing_by_those_who_wrote_the_files(
    new_run: Make, store: RunStore, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_patch(new_run("lenet"), "diff --git a/x b/x\n@@ -0,0 +1,2 @@\n+é\t1\r\n+\x1b]0;x\x07\x9b2J\n".encode())
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main(["--store", str(store.path), "show", "--diff", "lenet"]) == 0
    assert capsys.readouterr().out == "diff --git a/x b/x\n@@ -0,0 +1,2 @@\n+é\t1\n+?]0;x??2J\n"


def test_show_says_why_there_is_no_patch(
    new_run: Make, store: RunStore, project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def said(name: str) -> str:
        assert main(["--store", str(store.path), "show", "--diff", name]) == 0
        shown = capfd.readouterr()
        assert shown.out == ""
        return shown.err.partition(": ")[2].strip()

    sweep = submitted(new_run, project, "clean")
    assert said("clean") == "clean has no patch: all was committed"
    new_run("trial", trial_of=sweep.id, trial=0)
    assert said("trial") == "trial has no patch: all was committed"
    new_run("early")
    assert said("early") == "early has no patch: what was not committed is not known"
    new_run("outside").environment.write_text('{"git": null}')
    assert said("outside") == "outside has no patch: it was submitted outside of a git repository"
    (project / ".env").write_text("TOKEN=1\n")
    folder = submitted(new_run, project, "private")
    assert said("private") == "private has no patch: what was not committed is not kept: .env"
    assert dict(read_details(Run(folder.path))["facts"])["Uncommitted"] == ".env; not kept: .env"
    new_run("odd").environment.write_text('{"git": {"problem": "\\u001b]0;x\\u0007", "files": []}}')
    assert said("odd") == "odd has no patch: ?]0;x?"


def test_runs_diff_names_the_files_that_differ(new_run: Make, project: Path) -> None:
    (project / "same.py").write_text("x = 1\n")
    (project / "train.py").write_text("rate = 2\n")
    one = submitted(new_run, project, "one")
    (project / "train.py").write_text("rate = 3\n")
    (project / "new.py").write_text("y = 1\ny = 2\n")
    two = submitted(new_run, project, "two")
    facts = dict(compare_runs([one, two]).facts["environment"])
    assert set(facts) == {"uncommitted train.py", "uncommitted new.py"}
    old, new = facts["uncommitted train.py"]
    assert old is not None
    assert new is not None
    assert old.startswith("+1 −1 #")
    assert old != new
    assert facts["uncommitted new.py"][0] is None
    assert str(facts["uncommitted new.py"][1]).startswith("+2 −0 #")


def test_of_many_uncommitted_files_those_that_differ_are_named(new_run: Make, project: Path) -> None:
    for number in range(120):
        (project / f"a{number:03}.txt").write_text("x\n")
    (project / "train.py").write_text("rate = 2\n")
    one = submitted(new_run, project, "one")
    (project / "train.py").write_text("rate = 3\n")
    two = submitted(new_run, project, "two")
    assert [name for name, _ in compare_runs([one, two]).facts["environment"]] == ["uncommitted train.py"]
    for number in range(60):
        (project / f"a{number:03}.txt").unlink()
    three = submitted(new_run, project, "three")
    *named, (more, counts) = compare_runs([two, three]).facts["environment"]
    assert [name for name, _ in named] == [f"uncommitted a{number:03}.txt" for number in range(50)]
    assert (more, counts) == ("more uncommitted files", ["10", "0"])


def test_what_the_patch_lacks_differs_all_the_same(
    new_run: Make, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlwidgets.history.git.worktree.LARGEST_PATCH", 1000)
    folders = []
    for _ in range(2):
        (project / "large.bin").write_bytes(os.urandom(5000))
        folders.append(submitted(new_run, project))
    ((name, ids),) = compare_runs(folders).facts["environment"]
    assert (name, [bool(one) for one in ids]) == ("uncommitted", [True, True])
    (project / ".env").write_text("TOKEN=1\n")
    folders.append(submitted(new_run, project))
    assert ("git, not kept", [None, ".env"]) in compare_runs(folders[1:]).facts["environment"]


def test_a_patch_that_somebody_has_made_up_is_compared_as_any_other(new_run: Make, project: Path) -> None:
    folders = [submitted(new_run, project, name) for name in ("one", "two")]
    hostile = "diff --git a/\x1b]0;x\x07<script> b/\x1b]0;x\x07<script>\n+x\n"
    write_patch(folders[1], hostile.encode() * 3 + b"diff --git \n" * 1_000_000 + b'diff --git "\ndiff --git \xff\xff')
    compared = compare_runs(folders)
    names = [name for name, _ in compared.facts["environment"]]
    assert "uncommitted \x1b]0;x\x07<script>" in names
    view = RunsDiffView(compared)
    assert "\x1b" not in view.text()
    assert "<script>" not in view._repr_html_()


def test_no_ref_is_made_of_what_somebody_has_written_into_a_run(new_run: Make, store: RunStore, project: Path) -> None:
    (project / "train.py").write_text("rate = 2\n")
    folder = ended(submitted(new_run, project))
    refs = git(project, "for-each-ref")
    told = json.loads(folder.environment.read_bytes())
    for name in ("main", "HEAD", "../../heads/evil", f"{told['git']['uncommitted']}\nHEAD", "-d", "\ud800", ["main"]):
        told["git"]["uncommitted"] = name
        ended(other := new_run("imported"))
        other.environment.write_text(json.dumps(told))
    list(checking.check(store, repair=True))
    prune(store, plan(store, Rule(older_than=1e9)))
    assert git(project, "for-each-ref") == refs


def test_what_no_run_needs_is_let_go_of(new_run: Make, store: RunStore, project: Path) -> None:
    folders = []
    for text in "ab":
        (project / "train.py").write_text(text)
        folders.append(ended(submitted(new_run, project, text)))
    repository = Repository.find(project)
    assert repository is not None
    commits = [Run(folder.path).environment["git"]["uncommitted"] for folder in folders]
    assert keeping.kept(repository, store.path) == set(commits)
    assert list(checking.check(store)) == []

    # In the trash it is needed: it may be restored.
    prune(store, plan(store, Rule(keep_last=0)))
    assert not list(store.folders())
    assert keeping.kept(repository, store.path) == set(commits)
    os.rename(store.path / "trash" / folders[0].id, folders[0].path)
    for path in (store.path / "trash").iterdir():
        os.rename(path, project / "gone")
    found = list(checking.check(store))
    assert ["keeps 1 commits for runs that are gone"] == [one.what for one in found if "commits" in one.what]
    prune(store, plan(store, Rule(older_than=1e9)))
    assert keeping.kept(repository, store.path) == {commits[0]}

    git(project, "update-ref", "-d", git(project, "for-each-ref", "--format=%(refname)", "refs/mlwidgets/kept").strip())
    assert [one.what for one in checking.check(store, repair=True) if "repositories" in one.where] == [
        f"does not keep {commits[0][:12]}, which a run needs"
    ]
    assert keeping.kept(repository, store.path) == {commits[0]}
    folders[0].environment.write_text("{")
    prune(store, plan(store, Rule(older_than=1e9)))
    assert keeping.kept(repository, store.path) == {commits[0]}


def contents(path: Path, cache: Path) -> Any:
    with closing(DigestCache(cache)) as open_cache:
        return read_contents(str(path), open_cache)


def test_a_file_is_known_by_its_bytes(tmp_path: Path) -> None:
    for size in (0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE):
        data = os.urandom(size)
        (tmp_path / "file").write_bytes(data)
        found = contents(tmp_path / "file", tmp_path)
        assert (found.digest, found.nbytes, found.files) == (content_digest(memoryview(data)), size, 1)


def _folder(top: Path) -> Path:
    (top / "a" / "b").mkdir(parents=True)
    (top / "a" / "x").write_text("1")
    (top / "a" / "b" / "y").write_text("2")
    return top


def test_a_folder_is_known_by_names_and_bytes_and_not_by_times_or_place(tmp_path: Path) -> None:
    one, two = _folder(tmp_path / "one"), _folder(tmp_path / "two")
    os.utime(two / "a" / "x", (1, 1))
    first = contents(one, tmp_path)
    assert first.digest == contents(two, tmp_path).digest
    assert (first.files, first.nbytes) == (2, 2)
    found = {first.digest}
    for change in (
        lambda: (two / "a" / "x").write_text("3"),
        lambda: (two / "a" / "x").rename(two / "a" / "z"),
        lambda: (two / "empty").mkdir(),
        lambda: (two / "link").symlink_to("nowhere"),
        lambda: (two / "a" / "b" / "y").unlink(),
    ):
        change()
        found.add(contents(two, tmp_path).digest)
    assert len(found) == 6


def test_links_are_followed_and_loops_end(tmp_path: Path) -> None:
    one, two = _folder(tmp_path / "one"), _folder(tmp_path / "two")
    (tmp_path / "elsewhere").mkdir()
    (two / "a" / "x").rename(tmp_path / "elsewhere" / "x")
    (two / "a" / "x").symlink_to(tmp_path / "elsewhere" / "x")
    (two / "a" / "b").rename(tmp_path / "elsewhere" / "b")
    (two / "a" / "b").symlink_to(tmp_path / "elsewhere" / "b")
    assert contents(one, tmp_path).digest == contents(two, tmp_path).digest
    assert contents(tmp_path / "one", tmp_path).digest == contents(one / "." / ".." / "one", tmp_path).digest
    (two / "a" / "round").symlink_to("..")
    (tmp_path / "elsewhere" / "b" / "back").symlink_to(two)
    assert contents(two, tmp_path).files == 2
    os.mkfifo(two / "pipe")
    assert contents(two, tmp_path).unreadable == ("pipe",)


def test_what_tools_write_beside_the_data_is_none(tmp_path: Path) -> None:
    one = _folder(tmp_path / "one")
    first = contents(one, tmp_path)
    for name in (".mlwidgets", ".git", "__pycache__", "a/.ipynb_checkpoints"):
        (one / name).mkdir()
        (one / name / "x").write_text("1")
    again = contents(one, tmp_path)
    assert (again.digest, again.files) == (first.digest, first.files)


def test_a_link_that_leads_elsewhere_has_been_touched(tmp_path: Path) -> None:
    for name in ("old", "new"):
        _folder(tmp_path / name)
    (tmp_path / "data").mkdir()
    for link, target in ((tmp_path / "latest", tmp_path / "old"), (tmp_path / "data" / "latest", tmp_path / "old")):
        link.symlink_to(target)
    settled = max(contents(tmp_path / name, tmp_path).touched for name in ("latest", "data"))
    time.sleep(0.05)
    for link in (tmp_path / "latest", tmp_path / "data" / "latest"):
        link.unlink()
        link.symlink_to(tmp_path / "new")
    for name in ("latest", "data"):
        assert contents(tmp_path / name, tmp_path).touched > settled


def test_what_was_hashed_once_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = _folder(tmp_path / "data")
    monkeypatch.setattr("mlwidgets.capture.contents._SETTLED", -1.0)
    first = contents(data, tmp_path)
    read: list[int] = []

    def digest(fd: int) -> str:
        read.append(fd)
        return "0" * 64

    monkeypatch.setattr("mlwidgets.capture.contents._digest", digest)
    assert contents(data, tmp_path) == first
    assert not read
    (data / "a" / "x").write_text("2")
    assert contents(data, tmp_path).digest != first.digest
    assert len(read) == 1


def test_a_cache_that_is_damaged_or_cannot_be_written_costs_nothing_but_time(tmp_path: Path) -> None:
    data = _folder(tmp_path / "data")
    digest = contents(data, tmp_path).digest
    (tmp_path / CACHE).write_bytes(b"no database" * 1000)
    assert contents(data, tmp_path).digest == digest
    assert contents(data, tmp_path / "is not there").digest == digest
    assert contents(data, tmp_path).digest == digest


def test_data_have_to_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text("1")
    assert named_data("a.csv") == ({"path": "a.csv", "absolute": str(tmp_path / "a.csv")},)
    assert len(named_data(["a.csv", Path("a.csv"), "."])) == 2
    with pytest.raises(ParameterError, match=r"--data b\.csv: there is no such file or folder"):
        named_data(["b.csv"])
    with pytest.raises(ParameterError, match="--data '': name a file or a folder"):
        named_data([""])
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ParameterError, match="neither a file nor a folder"):
        named_data(["pipe"])


def test_data_that_are_missing_or_others_are_named(
    new_run: Make, project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.chdir(project)
    data = project / "data"
    data.mkdir()
    (data / "train.csv").write_text("1,2\n")
    folder = submitted(new_run, project, data=named_data(["data", "data/train.csv"]))
    known = read_data(folder)
    assert known["data/train.csv"]["bytes"] == 4
    assert not known["data"]["changed"]
    assert check_data(folder, project) == []
    trial = new_run("trial", trial_of=folder.id, trial=0, data=folder.read_spec().data)
    assert check_data(trial, project) == []

    # The same data elsewhere are the same data.
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    assert check_data(folder, elsewhere) == [
        f"the data data are missing: there is no {elsewhere}/data",
        f"the data data/train.csv are missing: there is no {elsewhere}/data/train.csv",
    ]
    os.symlink(data, elsewhere / "data")
    assert check_data(folder, elsewhere) == []

    (data / "train.csv").write_text("1,3\n")
    problems = check_data(folder, project)
    assert len(problems) == 2
    digest = known["data/train.csv"]["digest"]
    assert problems[1].startswith(f"the data data/train.csv have changed: {digest[:8]} then (4 bytes), ")
    unknown = new_run("unknown", data=folder.read_spec().data)
    assert check_data(unknown, project)[0] == (
        "the data data were never digested, so nobody knows whether they are the same"
    )


def test_data_that_change_when_the_run_has_begun_are_not_known(new_run: Make, project: Path) -> None:
    (project / "a.csv").write_text("1")
    folder = new_run("lenet", submitted_at=time.time() - 60, data=named_data([project / "a.csv"]))
    (project / "a.csv").write_text("2")
    write_environment(folder, str(project))
    path = str(project / "a.csv")
    assert read_data(folder)[path]["changed"] is True
    assert check_data(folder, project) == [
        f"the data {path} changed while the run began, so nobody knows what it has read of them"
    ]
    (project / "a.csv").unlink()
    gone = new_run("gone", submitted_at=time.time(), data=folder.read_spec().data)
    write_environment(gone, str(project))
    assert read_data(gone)[path]["problem"] == "No such file or directory"
    (project / "a.csv").write_text("2")
    assert "were never digested (No such file or directory)" in check_data(gone, project)[0]


@pytest.mark.parametrize("nonsense", [None, 1, "x", [1], {"a": {"b": [None]}}, {"data": 1, "numpy": {"digest": 1}}])
def test_what_somebody_has_made_of_a_folder_is_shown_as_far_as_it_goes(
    new_run: Make, project: Path, nonsense: Any
) -> None:
    (project / "a.csv").write_text("1")
    good = submitted(new_run, project, data=named_data([project / "a.csv"]))
    told = dict.fromkeys(Run(good.path).environment, nonsense)
    path = str(project / "a.csv")
    for environment in (
        told,
        {**told, "data": {path: nonsense}},
        {**told, "git": {"files": nonsense, "more_files": nonsense}},
    ):
        bad = new_run("bad", data=good.read_spec().data)
        bad.environment.write_text(json.dumps(environment))
        write_event(bad.events, LIBRARIES, imported=nonsense, torch=nonsense, numpy=nonsense)
        read_details(Run(bad.path))
        assert RunsDiffView(compare_runs([good, bad])).text()
        assert len(check_data(bad, project)) == 1
        read_libraries(bad)


def test_every_group_of_facts_has_a_head() -> None:
    assert list(HEADS) == list(GROUPS)


def test_runs_diff_says_which_data_differ(new_run: Make, project: Path) -> None:
    (project / "a.csv").write_text("1")
    (project / "b.csv").write_text("1")
    folders = []
    for text in ("1", "2"):
        (project / "a.csv").write_text(text)
        folders.append(submitted(new_run, project, data=named_data([project / "a.csv", project / "b.csv"])))
    diff = compare_runs(folders)
    assert "Data" in RunsDiffView(diff).text()
    assert "a.csv" in RunsDiffView(diff).page()
    rows = diff.facts["data"]
    assert [name for name, _ in rows] == [str(project / "a.csv")]
    assert all(str(value).startswith("1 bytes #") for value in rows[0][1])
    assert dict(read_details(Run(folders[0].path))["facts"])["Data"].startswith(str(project))


def test_what_the_code_used(new_run: Make, store: RunStore) -> None:
    import numpy as np
    import sklearn.linear_model
    import torch

    before = frozenset(sys.modules)
    namespace = {"model": sklearn.linear_model.SGDClassifier(), "np": np, "run_cell": main, "text": "pandas"}
    told = used_libraries(before, namespace, "import yaml, json\nfrom PIL import Image\n")
    assert told["imported"] == [name for name in ("PIL", "numpy", "sklearn", "yaml") if name in sys.modules]
    assert "torch" not in told
    assert told["numpy"]["version"] == np.__version__
    told = used_libraries(before, {"x": torch.ones(1)}, "%magic that is no Python")
    assert told["imported"] == ["torch"]
    assert told["torch"]["version"] == torch.__version__
    assert told["torch"]["threads"] == torch.get_num_threads()
    assert told["torch"]["deterministic"] is False
    assert "gpus" not in told["torch"] or torch.cuda.is_initialized()
    json.dumps(told)

    folder = new_run()
    assert read_libraries(folder) == {}
    folder.environment.write_text(json.dumps(dict(zip(("packages", "provided"), installed(), strict=True))))
    write_event(folder.events, LIBRARIES, imported=["sklearn", "torch", "no_such_thing"], torch={"version": "2.0"})
    found = read_libraries(folder)
    assert found["modules"] == {"scikit-learn": version("scikit-learn"), "torch": version("torch")}
    other = new_run("other")
    write_event(other.events, LIBRARIES, imported=["torch"], torch={"version": "2.1", "gpus": None})
    assert compare_runs([folder, other]).facts["libraries"] == [("torch version", ["2.0", "2.1"])]
    assert dict(read_details(Run(other.path))["facts"])["Torch"] == "2.1"


class _Hostile:
    """A value of the user's that answers nothing in peace."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)


def test_values_are_not_asked_anything() -> None:
    assert used_libraries(frozenset(sys.modules), {"x": _Hostile(), "y": _Hostile}, "")["imported"] == []
