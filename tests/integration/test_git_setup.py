from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlwidgets.cli import main
from mlwidgets.history.merging.conflicts import conflicts_in
from mlwidgets.history.setup.repository import CACHE, Setup
from mlwidgets.history.setup.settings import Wanted
from tests.git_torture import play
from tests.histories import NAME, NOBODY, REPOSITORIES, commit, git, git_dir, given_to, in_a_child, save, shared_folder

ALL = Wanted(strip=True, hook=True, outputs=True)


def set_up(folder: Path, wanted: Wanted | None = None) -> Setup:
    setup = Setup(folder)
    setup.write(setup.plan(wanted or Wanted()))
    return setup


def files(common: Path) -> dict[str, Any]:
    """All that is in a repository but objects, with modes."""
    return {
        str(path.relative_to(common)): (path.stat().st_mode, path.read_bytes() if path.is_file() else None)
        for path in sorted(common.rglob("*"))
        if "objects" not in path.relative_to(common).parts[:1]
    }


def me(folder: Path, *arguments: str, check: bool = True) -> str:
    return git(folder, "-c", "user.name=Me", "-c", "user.email=me@x", *arguments, check=check)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return REPOSITORIES["blanks and unicode"](tmp_path)


@pytest.mark.parametrize("kind", REPOSITORIES)
def test_what_was_there_is_there_again(tmp_path: Path, kind: str) -> None:
    notebook = REPOSITORIES[kind](tmp_path)
    common = git_dir(notebook)
    if kind == "locked":
        (common / "config.lock").unlink()
    elif kind == "failing hooks":
        (common / "hooks" / "pre-commit").unlink()
    before = files(common)
    setup = set_up(notebook.parent, ALL)
    said = git(notebook.parent, "check-attr", "diff", "merge", "filter", "--", NAME)
    assert said.count("mlwidgets") == 3
    assert setup.plan(ALL).changes == []
    assert setup.undo()
    assert files(common) == before
    assert not setup.undo()


def test_others_settings_stay(path: Path) -> None:
    common = git_dir(path)
    mine = "# mine\n*.ipynb diff=nbdime\nsecret.ipynb -diff\n*.csv -text"
    (common / "info").mkdir(exist_ok=True)
    (common / "info" / "attributes").write_text(mine)
    git(path.parent, "config", "diff.mlwidgets.textconv", "of the user")
    with open(common / "config", "a") as file:
        file.write("[alias] # a remark\n\tx = !echo '\\\"' \\\n  more")
    before = files(common)
    setup = set_up(path.parent)
    assert setup.in_place_of() == []
    assert "diff: mlwidgets" in git(path.parent, "check-attr", "diff", "--", NAME)
    assert "diff: unset" in git(path.parent, "check-attr", "diff", "--", "secret.ipynb")
    setup.undo()
    assert files(common) == before
    # Somebody else writes meanwhile: only what is ours goes.
    set_up(path.parent, Wanted(strip=True))
    git(path.parent, "config", "user.name", "new")
    with open(common / "info" / "attributes", "a") as file:
        file.write("*.png binary\n")
    setup.undo()
    assert (common / "info" / "attributes").read_text() == mine + "\n*.png binary\n"
    assert git(path.parent, "config", "user.name").strip() == "new"
    assert git(path.parent, "config", "diff.mlwidgets.textconv").strip() == "of the user"
    assert "mlwidgets" not in git(path.parent, "config", "--get-regexp", "^(merge|filter)[.]", check=False)


def test_linked_work_trees_with_settings_of_their_own(tmp_path: Path) -> None:
    notebook = REPOSITORIES["linked work tree"](tmp_path)
    git(tmp_path / "main", "config", "extensions.worktreeConfig", "true")
    git(notebook.parent, "config", "--worktree", "core.abbrev", "9")
    before = files(git_dir(notebook))
    setup = set_up(notebook.parent)
    for folder in (notebook.parent, tmp_path / "main"):
        assert "diff: mlwidgets" in git(folder, "check-attr", "diff", "--", NAME)
        assert git(folder, "config", "diff.mlwidgets.cachetextconv").strip() == "true"
    assert Setup(tmp_path / "main").plan(Wanted()).changes == []
    setup.undo()
    assert files(git_dir(notebook)) == before


def test_what_is_kept_is_lost_or_damaged(path: Path, monkeypatch: Any, capsys: Any) -> None:
    before = files(git_dir(path))
    set_up(path.parent, ALL)
    kept = git_dir(path) / "mlwidgets-git-setup.json"
    assert kept.stat().st_mode & 0o077 == 0
    kept.write_text("{")
    monkeypatch.chdir(path.parent)
    assert main(["git-setup", "--undo"]) == 1
    assert "is damaged; remove it" in capsys.readouterr().err
    kept.unlink()
    assert main(["git-setup", "--undo"]) == 0
    now = files(git_dir(path))
    assert {name for name in now if now[name] != before.get(name)} <= {"info", "hooks", "info/attributes"}
    assert now["config"] == before["config"]
    assert now.get("info/attributes", (0, b""))[1] == b""
    assert "hooks/pre-commit" not in now


def test_what_is_asked_for_last_is_what_there_is(path: Path) -> None:
    common = git_dir(path)
    before = files(common)
    set_up(path.parent, ALL)
    setup = set_up(path.parent)
    assert "filter" not in git(path.parent, "config", "--get-regexp", "mlwidgets")
    assert not (common / "hooks" / "pre-commit").exists()
    setup.undo()
    assert files(common) == before


@pytest.mark.parametrize("wanted", [Wanted(), ALL])
def test_a_kill_at_any_step_leaves_a_repository_that_works_and_can_be_undone(path: Path, wanted: Wanted) -> None:
    common = git_dir(path)
    before = files(common)
    for act in (lambda: set_up(path.parent, wanted), lambda: Setup(path.parent).undo()):
        for step in range(1, 1000):
            ended = _killed_at(step, act, common)
            git(path.parent, "diff", "HEAD")
            git(path.parent, "config", "a.b", "c")
            git(path.parent, "config", "--unset", "a.b")
            if ended:
                break
            Setup(path.parent).undo()
            now = files(common)
            # What a killed process left beside a file is nobody's, and goes with the next writing that is later.
            litter = {name for name in now if name.split("/")[-1].startswith(".")}
            assert {name: now[name] for name in now if name not in litter} == before
            for name in litter:
                (common / name).unlink()
            if act.__code__.co_names[0] == "Setup":
                set_up(path.parent, wanted)
        assert step > 3
    assert files(common) == before


def _killed_at(step: int, act: Callable[[], Any], within: Path) -> bool:
    """Do something in a process that is killed before the nth time that it changes a file; return if it ended first."""
    pid = os.fork()
    if pid == 0:
        count = 0

        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            nonlocal count
            writes = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wxa+")
            if writes or event in {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod"}:
                count += str(arguments[0]).startswith(f"{within}/")
                if count == step:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        status = 1
        try:
            act()
            status = 0
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert status in {0, -signal.SIGKILL}
    return status == 0


def test_a_folder_that_cannot_be_written_is_named_and_left_alone() -> None:
    with shared_folder() as base:
        notebook = REPOSITORIES["SHA-1"](base)
        common = git_dir(notebook)
        given_to(base, NOBODY)
        os.chmod(common, 0o555)

        def refused() -> None:
            before = files(common)
            with pytest.raises(Exception, match="cannot be written"):
                set_up(notebook.parent)
            assert files(common) == before

        in_a_child(refused, user=NOBODY)


def test_a_setup_that_fails_half_way_is_undone() -> None:
    with shared_folder() as base:
        notebook = REPOSITORIES["SHA-1"](base)
        common = git_dir(notebook)
        given_to(base, NOBODY)
        (common / "info").mkdir(exist_ok=True)
        os.chmod(common / "info", 0o555)
        os.chmod(common / "config", 0o640)

        def half() -> None:
            before = files(common)
            with pytest.raises(Exception, match="info/attributes cannot be written"):
                set_up(notebook.parent, ALL)
            now = files(common)
            assert now["config"] != before["config"]
            assert now["config"][0] == before["config"][0]
            assert Setup(notebook.parent).undo()
            assert files(common) == before

        in_a_child(half, user=NOBODY)


def test_no_repository_and_hooks_elsewhere_are_named(tmp_path: Path, path: Path, monkeypatch: Any, capsys: Any) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    monkeypatch.chdir(alone)
    assert main(["git-setup"]) == 1
    assert "is in no git repository" in capsys.readouterr().err
    monkeypatch.chdir(path.parent)
    hook = git_dir(path) / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\n")
    assert main(["git-setup", "--pre-commit", "--yes"]) == 1
    assert "is there already" in capsys.readouterr().err
    git(path.parent, "config", "core.hooksPath", "/some/where")
    assert main(["git-setup", "--pre-commit", "--yes"]) == 1
    assert "hooks are in /some/where" in capsys.readouterr().err
    assert hook.read_text() == "#!/bin/sh\n"


@pytest.mark.parametrize("answer", ["y", "n"])
def test_it_asks(path: Path, answer: str) -> None:
    before = files(git_dir(path))
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "mlwidgets.cli", "git-setup"]
    process = subprocess.Popen(command, cwd=path.parent, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    os.write(master, f"{answer}\n".encode())
    said = b""
    try:
        while chunk := os.read(master, 4096):
            said += chunk
    except OSError:
        pass
    assert process.wait(60) == (0 if answer == "y" else 1)
    assert b"diff.mlwidgets.textconv" in said
    assert b"*.ipynb diff=mlwidgets merge=mlwidgets" in said
    assert (files(git_dir(path)) == before) == (answer == "n")
    if answer == "y":
        assert "textconv" in git(path.parent, "config", "--get-regexp", "mlwidgets")


def test_a_hook_that_is_not_asked_for_any_more_is_told(path: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.chdir(path.parent)
    assert main(["git-setup", "--pre-commit", "--yes"]) == 0
    assert "  refuses a commit" in capsys.readouterr().out
    assert main(["git-setup", "--yes"]) == 0
    assert "hooks/pre-commit  no longer refuses a commit" in capsys.readouterr().out
    assert not (git_dir(path) / "hooks" / "pre-commit").exists()


def test_nobody_who_can_be_asked_is_no_consent(path: Path, monkeypatch: Any, capsys: Any) -> None:
    before = files(git_dir(path))
    monkeypatch.chdir(path.parent)
    with open(os.devnull) as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        assert main(["git-setup"]) == 1
    assert "add --yes" in capsys.readouterr().err
    assert files(git_dir(path)) == before


def test_diffs_log_and_blame_are_of_cells(path: Path) -> None:
    set_up(path.parent, Wanted(outputs=True))
    save(path, "x = 1\ny = 2", "print(x)")
    commit(path.parent, "second")
    save(path, "x = 1\ny = 3", "print(x)")
    document = json.loads(path.read_bytes())
    document["cells"][1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "1"}]
    path.write_text(json.dumps(document))
    lines = git(path.parent, "diff", "--", path.name).split("\n")[4:]
    assert [line for line in lines if line.startswith(("+", "-"))][:2] == ["-y = 2", "+y = 3"]
    assert [line for line in lines if line.startswith("+# outputs: 1, ")]
    assert "+print(x)" in git(path.parent, "log", "-p")
    assert "print(x)" in git(path.parent, "blame", path.name)
    assert '"cells"' not in git(path.parent, "log", "-p")
    assert git(path.parent, "for-each-ref", CACHE)
    Setup(path.parent).undo()
    assert not git(path.parent, "for-each-ref", CACHE)


def test_what_is_no_notebook_is_shown_as_it_is(path: Path) -> None:
    set_up(path.parent)
    path.write_text("<<<<<<< HEAD\n{\n")
    assert "+<<<<<<< HEAD" in git(path.parent, "diff")
    path.write_text("")
    git(path.parent, "diff")
    path.unlink()
    git(path.parent, "diff")
    path.symlink_to("elsewhere.ipynb")
    git(path.parent, "diff")


def conflict(path: Path, ours: tuple[str, ...], theirs: tuple[str, ...]) -> str:
    """Have two branches with a notebook of these cells; merge them, and return what git said."""
    me(path.parent, "checkout", "--quiet", "-b", "theirs")
    save(path, *theirs)
    commit(path.parent)
    me(path.parent, "checkout", "--quiet", "-")
    save(path, *ours)
    commit(path.parent)
    done = subprocess.run(
        ["git", "-c", "user.name=Me", "-c", "user.email=me@x", "merge", "--no-edit", "theirs"],
        cwd=path.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return f"{done.returncode} {done.stdout}{done.stderr}"


HOSTILE = ["--outputs", "two\nlines", "$(touch pwned) `touch pwned` 100%A '\"; touch pwned"]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"{name}.ipynb"
    git(tmp_path, "init", "--quiet")
    save(path, "a", "b", "c")
    commit(tmp_path)
    set_up(tmp_path, Wanted(strip=True, hook=True))
    assert "+b" in git(tmp_path, "log", "-p")
    said = conflict(path, ("ours", "b", "c"), ("theirs", "b", "added"))
    assert said.startswith("1 ")
    assert len(conflicts_in(json.loads(path.read_bytes()))) == 1
    assert "++<<<<<<< ours" in git(tmp_path, "diff")
    git(tmp_path, "add", "--all")
    done = subprocess.run(
        ["git", "-c", "user.name=Me", "-c", "user.email=me@x", "commit", "--no-edit"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "conflict in cell 1" in done.stderr
    assert {one.name for one in tmp_path.iterdir()} == {".git", path.name}


def test_a_merge_that_was_begun_without_it_is_done_again_by_cells(path: Path) -> None:
    conflict(path, ("ours", "a = 1"), ("theirs", "a = 1"))
    with pytest.raises(json.JSONDecodeError):
        json.loads(path.read_bytes())
    set_up(path.parent)
    git(path.parent, "checkout", "-m", "--", path.name)
    assert len(conflicts_in(json.loads(path.read_bytes()))) == 1


def test_merges_and_conflicts_and_the_hook(path: Path) -> None:
    set_up(path.parent, Wanted(hook=True))
    said = conflict(path, ("ours", "a = 1"), ("theirs", "a = 1"))
    assert said.startswith("1 ")
    assert f"{NAME}: conflict in cell 1:" in said
    lines = json.loads(path.read_bytes())["cells"][0]["source"]
    assert [line.split(" ")[0].strip() for line in lines] == ["<<<<<<<", "ours", "=======", "theirs", ">>>>>>>"]
    assert "%" not in "".join(lines)
    assert len(conflicts_in(json.loads(path.read_bytes()))) == 1
    assert main(["merge", "--list", str(path)]) == 1
    # Added without a look: the hook says so.
    git(path.parent, "add", "--all")
    done = subprocess.run(
        ["git", "-c", "user.name=Me", "-c", "user.email=me@x", "commit", "--no-edit"],
        cwd=path.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "conflict in cell 1" in done.stderr
    document = json.loads(path.read_bytes())
    document["cells"][0]["source"] = "both"
    path.write_text(json.dumps(document))
    assert main(["merge", "--list", str(path)]) == 0
    git(path.parent, "add", "--all")
    me(path.parent, "commit", "--no-edit")


def test_without_our_environment_git_goes_on_by_itself(path: Path, monkeypatch: Any) -> None:
    before = files(git_dir(path))
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", "/gone/it's 100%A/bin/python")
        set_up(path.parent, ALL)
    save(path, "one", "two")
    done = subprocess.run(["git", "diff"], cwd=path.parent, capture_output=True, text=True, check=True)
    assert '"two"' in done.stdout
    assert "mlwidgets is no longer at /gone/it's 100%A/bin/python" in done.stderr
    me(path.parent, "commit", "--quiet", "-am", "with the hook and the filter")
    said = conflict(path, ("ours",), ("theirs",))
    assert said.startswith("1 ")
    assert "mlwidgets is no longer at /gone/it's 100%A/bin/python" in said
    assert "<<<<<<< " in path.read_text()
    me(path.parent, "merge", "--abort")
    Setup(path.parent).undo()
    assert {name: data for name, data in files(git_dir(path)).items() if name in {"config", "info/attributes"}} == {
        name: data for name, data in before.items() if name in {"config", "info/attributes"}
    }


def test_a_colleague_without_it_has_an_ordinary_repository(path: Path, tmp_path: Path) -> None:
    set_up(path.parent, ALL)
    save(path, "one", "two")
    commit(path.parent)
    top = git(path.parent, "rev-parse", "--show-toplevel").strip()
    git(tmp_path, "clone", "--quiet", top, "colleague")
    assert "mlwidgets" not in (tmp_path / "colleague" / ".git" / "config").read_text()
    assert '"two"' in git(tmp_path / "colleague", "log", "-p")
    assert set(git(tmp_path / "colleague", "ls-files").split("\n")) == {*git(Path(top), "ls-files").split("\n")}


def test_outputs_stay_out_of_commits_and_in_the_work_tree(path: Path) -> None:
    set_up(path.parent, Wanted(strip=True))
    document = json.loads(path.read_bytes())
    said = {"output_type": "stream", "name": "stdout", "text": "x"}
    document["cells"][0] |= {"outputs": [said], "execution_count": 4}
    document["cells"].append({**document["cells"][0], "id": "kept", "metadata": {"tags": ["keep_output"]}})
    path.write_text(json.dumps(document))
    commit(path.parent)
    kept = json.loads(git(path.parent, "cat-file", "blob", f"HEAD:./{path.name}"))
    assert [cell["outputs"] for cell in kept["cells"]] == [[], [said]]
    assert json.loads(path.read_bytes())["cells"][0]["outputs"] == [said]
    assert git(path.parent, "status", "--porcelain") == ""
    # What is no notebook is committed as it is.
    path.write_text("{broken")
    commit(path.parent)
    assert git(path.parent, "cat-file", "blob", f"HEAD:./{path.name}") == "{broken"


def test_the_command_merges_and_leaves_files_whole(tmp_path: Path, capfdbinary: Any) -> None:
    base, ours, theirs, out = (tmp_path / f"{name} é.ipynb" for name in ("base", "ours", "theirs", "out"))
    save(base, "a", "b")
    save(ours, "ours", "b")
    save(theirs, "a", "theirs")
    assert main(["merge", str(base), str(ours), str(theirs)]) == 0
    assert b"theirs" in capfdbinary.readouterr().out
    assert main(["merge", str(base), str(ours), str(theirs), "-o", str(out)]) == 0
    assert [cell["source"] for cell in json.loads(out.read_bytes())["cells"]] == [["ours"], ["theirs"]]
    save(theirs, "theirs", "b")
    assert main(["merge", str(base), str(ours), str(theirs), "-o", str(out)]) == 1
    assert b"conflict in cell 1" in capfdbinary.readouterr().err
    assert ours.name in "".join(json.loads(out.read_bytes())["cells"][0]["source"])
    ours.write_text("{")
    before = out.read_bytes()
    assert main(["merge", str(base), str(ours), str(theirs), "-o", str(out)]) == 2
    assert capfdbinary.readouterr().err.count(b"\n") == 1
    assert main(["merge", str(base), str(ours)]) == 2
    assert out.read_bytes() == before


def test_a_merge_that_is_killed_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    base, ours, theirs = (tmp_path / f"{name}.ipynb" for name in ("base", "ours", "theirs"))
    save(base, "a", "b")
    save(theirs, "a", "theirs")
    save(ours, "ours", "b")
    before = ours.read_bytes()
    command = ["merge", *map(str, (base, ours, theirs)), "-o", str(ours)]
    steps, found = 1, set()
    while not _killed_at(steps, lambda: main(command), tmp_path):
        found.add(ours.read_bytes())
        ours.write_bytes(before)
        steps += 1
    assert before in found
    assert found <= {before, ours.read_bytes()}
    assert [cell["source"] for cell in json.loads(ours.read_bytes())["cells"]] == [["ours"], ["theirs"]]


def test_the_commands_do_what_git_calls(path: Path, monkeypatch: Any, capfdbinary: Any) -> None:
    monkeypatch.chdir(path.parent)
    before = path.read_bytes()
    assert main(["strip-outputs", NAME]) == 0
    assert path.read_bytes() == before
    document = json.loads(before)
    document["cells"][0]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "é"}]
    path.write_text(json.dumps(document, indent=1))
    assert main(["textconv", NAME]) == 0
    assert main(["textconv", "--outputs", NAME]) == 0
    out = capfdbinary.readouterr().out.decode()
    assert (out.count("committed"), out.count("# outputs: 1, ")) == (2, 1)
    assert main(["strip-outputs", NAME]) == 0
    assert json.loads(path.read_bytes())["cells"][0]["outputs"] == []
    assert main(["textconv", "nowhere.ipynb"]) == 1
    ours, theirs, text = path.with_name("ours"), path.with_name("theirs"), path.with_name("text")
    save(ours, "ours")
    save(theirs, "theirs")
    assert main(["git-merge-driver", NAME, "ours", "theirs", "7", NAME, "%X", "%Y"]) == 1
    assert len(conflicts_in(json.loads(ours.read_bytes()))) == 1
    # What is no notebook is merged by lines, as git does.
    text.write_text("{ours")
    assert main(["git-merge-driver", NAME, "text", "theirs", "7", NAME]) == 1
    assert "<<<<<<< ours\n{ours\n" in text.read_text()
    assert main(["git-check"]) == 0
    path.write_text("{")
    git(path.parent, "add", "--all")
    assert main(["git-check"]) == 1


@pytest.mark.parametrize("seed", range(2))
def test_no_line_is_ever_lost_in_a_random_history(tmp_path: Path, seed: int) -> None:
    rounds = int(os.environ.get("MLWIDGETS_GIT_ROUNDS", "1"))
    for n in range(rounds):
        play(tmp_path, 1000 * seed + n, 6 if rounds == 1 else 14)
