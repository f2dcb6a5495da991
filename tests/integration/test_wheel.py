"""What users install: built once from a copy of the sources, tried in a new environment without node."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from collections import Counter
from pathlib import Path

import pytest

BUILT = [f"mlwidgets/{name}.{kind}" for name in ("views/static/run", "server/static/panel") for kind in ("js", "css")]
LABEXTENSION = "mlwidgets/labextension"
INSTALLED = Path("share/jupyter/labextensions/mlwidgets")


def _without_node() -> dict[str, str]:
    """An environment whose PATH has this Python's scripts alone, and no trace of the checkout."""
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV", "MLWIDGETS_STORE")}
    return {**kept, "PATH": str(Path(sys.executable).parent)}


def _build(source: Path, kind: str, out: Path) -> Path:
    command = [sys.executable, "-m", "build", f"--{kind}", "--no-isolation", "--outdir", str(out), str(source)]
    done = subprocess.run(command, env=_without_node(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = out.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return made


@pytest.fixture(scope="module")
def checkout(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the files that git knows or would add: what a fresh clone has."""
    target = tmp_path_factory.mktemp("checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        check=True,
    )
    for name in listed.stdout.decode().split("\0"):
        if name and (root / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, target / name)
    return target


@pytest.fixture(scope="module")
def sdist(root: Path, checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the copy with the views that the working tree has built."""
    source = tmp_path_factory.mktemp("source")
    shutil.copytree(checkout, source, dirs_exist_ok=True)
    for name in BUILT:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / name, source / name)
    shutil.copytree(root / LABEXTENSION, source / LABEXTENSION)
    return _build(source, "sdist", tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the sdist, without node."""
    unpacked = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(unpacked, filter="data")
    (source,) = unpacked.iterdir()
    return _build(source, "wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a new environment with the wheel; its dependencies are those of this environment."""
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, with_pip=False, symlinks=True)
    made = folder / "bin" / "python"
    install = ["-m", "pip", "--python", str(made), "install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    subprocess.run([sys.executable, *install], check=True, capture_output=True)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return made


def _run(python: Path, code: str, cwd: Path) -> str:
    done = subprocess.run(
        [python, "-c", code], cwd=cwd, env=_without_node(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def test_wheel_holds_each_file_once_and_the_built_views(wheel: Path) -> None:
    names = Counter(zipfile.ZipFile(wheel).namelist())

    assert [name for name, count in names.items() if count > 1] == []
    assert set(BUILT) <= set(names)
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"mlwidgets", "mlwidgets_magics"}
    assert "mlwidgets/py.typed" in names


def test_jupyterlab_finds_the_extension_that_the_wheel_installs(python: Path, root: Path) -> None:
    installed = python.parent.parent / INSTALLED
    built = root / LABEXTENSION
    assert {path.relative_to(installed) for path in installed.rglob("*") if path.is_file()} == {
        path.relative_to(built) for path in built.rglob("*") if path.is_file()
    }
    entry = json.loads((installed / "package.json").read_text())["jupyterlab"]["_build"]["load"]
    assert (installed / entry).is_file()


def test_jupyter_servers_load_what_the_wheel_installs(python: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [python, "-m", "mlwidgets.cli", "doctor"],
        cwd=tmp_path,
        env={**_without_node(), "JUPYTER_CONFIG_DIR": str(tmp_path), "JUPYTER_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = {line[6:24].strip(): line for line in done.stdout.splitlines()}
    assert found["server extension"].split() == ["ok", "server", "extension", "enabled"]
    assert found["lab extension"].endswith(f" in {python.parent.parent / INSTALLED}")


def test_wheel_is_imported_from_its_own_environment(python: Path, tmp_path: Path) -> None:
    code = "import mlwidgets, mlwidgets_magics; print(mlwidgets.__file__); print(mlwidgets_magics.__file__)"

    for path in _run(python, code, tmp_path).splitlines():
        assert Path(path).is_relative_to(python.parent.parent)


def test_load_ext_and_a_run_work_from_the_wheel(python: Path, tmp_path: Path) -> None:
    code = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "mlwidgets")
shell.run_cell("%%train first --wait x=20\\ny = x + 1").raise_error()
print(shell.user_ns["first"].state, shell.user_ns["first"].result["y"])
"""
    assert _run(python, code, tmp_path).splitlines()[-1] == "finished 21"
    listed = subprocess.run(
        [python.parent / "mlwidgets", "runs"],
        cwd=tmp_path,
        env=_without_node(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "first" in listed.stdout
    assert "finished" in listed.stdout


def test_nbconvert_writes_reports_from_the_wheel(python: Path, tmp_path: Path) -> None:
    cells = [{"cell_type": "markdown", "metadata": {}, "source": "# From the wheel"}]
    path = tmp_path / "sales.ipynb"
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}))

    code = "from nbconvert.nbconvertapp import main; main(['--to', 'mlreport', 'sales.ipynb'])"
    _run(python, code, tmp_path)
    assert '<h1 id="title">From the wheel</h1>' in (tmp_path / "sales.html").read_text()


def test_checkout_without_node_says_what_is_missing(checkout: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(checkout)]
    done = subprocess.run(command, env=_without_node(), capture_output=True, text=True, check=False)

    assert done.returncode != 0
    assert "node (20.19 or newer) and npm, which are not on PATH" in done.stdout + done.stderr
    assert list(tmp_path.iterdir()) == []
