from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mlwidgets.runs.objects import ObjectStore

SUBMIT = """
import json, sys
from pathlib import Path
from mlwidgets.capture.modules import local_modules
from mlwidgets.runs.objects import ObjectStore
sys.path.insert(0, sys.argv[1])
exec(sys.argv[3])
print(json.dumps(local_modules(json.loads(sys.argv[4]), ObjectStore(Path(sys.argv[2])).put)))
"""

WORK = """
import json, sys
from pathlib import Path
from mlwidgets.capture.modules import serve
from mlwidgets.runs.objects import ObjectStore
sys.path.insert(0, sys.argv[1])
serve(json.loads(sys.argv[4]), ObjectStore(Path(sys.argv[2])))
exec(sys.argv[3])
"""


class Project:
    """A folder with modules, and a store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "project"
        self.folder.mkdir()
        self.objects = ObjectStore(folder / "objects")
        self.objects.path.mkdir()

    def write(self, **files: str) -> None:
        for name, text in files.items():
            path = self.folder / f"{name.replace('__init__', '@').replace('__', '/').replace('@', '__init__')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def _python(self, program: str, code: str, argument: Any) -> str:
        command = [sys.executable, "-c", program, str(self.folder), str(self.objects.path), code, json.dumps(argument)]
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHONDONTWRITE", "PYTHONPYC"))}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def submit(self, *imports: str, before: str = "") -> list[dict[str, Any]]:
        modules: list[dict[str, Any]] = json.loads(self._python(SUBMIT, before, imports))
        assert all(self.objects.read(m["digest"]) is not None for m in modules)
        return modules

    def work(self, modules: list[dict[str, Any]], code: str) -> str:
        return self._python(WORK, code, modules)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def names(modules: list[dict[str, Any]]) -> list[str]:
    return [m["name"] for m in modules]


def test_what_the_cell_imports_and_what_that_leads_to(project: Project) -> None:
    project.write(a="import b, json", b="def f():\n    import c", c="", unused="", broken="x = (")
    assert names(project.submit("a", "os", "numpy.linalg", "missing", "broken")) == ["a", "b", "broken", "c"]


def test_what_the_notebook_has_imported(project: Project) -> None:
    project.write(a="from b import x", b="x = 1")
    assert names(project.submit(before="import a")) == ["a", "b"]


def test_packages_are_kept_whole(project: Project) -> None:
    project.write(
        pkg____init__="", pkg__one="from . import two", pkg__two="", pkg__sub____init__="", pkg__sub__x="import a", a=""
    )
    (project.folder / "pkg" / "not-a-name.py").write_text("")
    whole = ["a", "pkg", "pkg.one", "pkg.sub", "pkg.sub.x", "pkg.two"]
    assert names(project.submit("pkg.one")) == whole
    assert names(project.submit(before="import pkg.one")) == whole


def test_packages_without_init(project: Project) -> None:
    project.write(space__one="x = 1", space__deep__two="")
    modules = project.submit("space.one")
    assert names(modules) == ["space.deep.two", "space.one"]
    assert project.work(modules, "import space.one\nprint(space.one.x)") == "1"


def test_later_edits_do_not_count(project: Project) -> None:
    project.write(
        a="import pkg.one\nx = 'old ' + pkg.one.y\ndef fail():\n    raise KeyError",
        pkg____init__="",
        pkg__one="y = 'old'",
    )
    modules = project.submit("a")
    project.write(a="syntax error", pkg__one="y = 'new'")
    assert project.work(modules, "import a\nprint(a.x, a.__file__)") == f"old old {project.folder / 'a.py'}"
    (project.folder / "a.py").unlink()
    (project.folder / "pkg" / "one.py").unlink()
    assert project.work(modules, "from pkg import one\nprint(one.y, one.__spec__.parent)") == "old pkg"


def test_bytecode_of_another_version_is_not_used(project: Project) -> None:
    project.write(a="x = 'old'")
    modules = project.submit("a")
    project.write(a="x = 'new'")
    assert project.work([], "import a\nprint(a.x)") == "new"
    assert list((project.folder / "__pycache__").glob("a.*"))
    assert project.work(modules, "import a\nprint(a.x)") == "old"
    assert project.work([], "import a\nprint(a.x)") == "new"


def test_files_beside_a_module(project: Project) -> None:
    project.write(pkg____init__="")
    (project.folder / "pkg" / "data.txt").write_text("data")
    code = "import importlib.resources, pkgutil\n"
    code += "print((importlib.resources.files('pkg') / 'data.txt').read_text(), pkgutil.get_data('pkg', 'data.txt'))"
    assert project.work(project.submit("pkg"), code) == "data b'data'"


def test_source_for_tracebacks_and_inspection(project: Project) -> None:
    project.write(a="# -*- coding: latin-1 -*-\ndef f():\n    return 'x'\n")
    (project.folder / "a.py").write_bytes((project.folder / "a.py").read_bytes().replace(b"'x'", b"'\xfc'"))
    code = "import a, inspect\nprint(ascii(a.f()), ascii(inspect.getsource(a.f)))"
    assert project.work(project.submit("a"), code) == r"'\xfc' " + ascii("def f():\n    return 'ü'\n")


def test_installed_modules_are_not_kept(project: Project) -> None:
    (project.folder / "lib" / "site-packages").mkdir(parents=True)
    (project.folder / "lib" / "site-packages" / "other.py").write_text("")
    before = f"sys.path.append({str(project.folder / 'lib' / 'site-packages')!r})\nimport numpy, json, psutil"
    assert names(project.submit("other", "numpy", before=before)) == []
