"""What is to happen when a module is imported: in a fresh process each, which has imported next to nothing."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import pytest


def says(folder: Path, code: str) -> list[str]:
    """Return the lines that a fresh process prints, in whose folder a package `library` lies."""
    package = folder / "library"
    package.mkdir(exist_ok=True)
    (package / "__init__.py").write_text("value = 1\n")
    (package / "part.py").write_text("value = 2\n")
    (folder / "broken.py").write_text("import os\nif os.path.exists('broken'): raise ImportError('broken')\n")
    program = "import sys\nfrom mlwidgets.capture.onimport import when_imported\n" + textwrap.dedent(code)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    "imports",
    [
        "import library.part",
        "from library import part",
        "import importlib; importlib.import_module('library.part')",
        "import importlib.util; importlib.util.find_spec('library.part'); import library.part",
    ],
    ids=["plain", "from", "importlib", "looked-for-first"],
)
def test_once_and_in_order_after_the_module_has_executed(tmp_path: Path, imports: str) -> None:
    code = f"""
        when_imported("library.part", lambda module: print("first", module.value))
        when_imported("library.part", lambda module: print("second", module.__name__))
        import library
        print("imported")
        {imports}
        import library.part, inspect
        print(inspect.getsource(library.part).strip(), "exec_module" in vars(library.part.__loader__))
    """
    assert says(tmp_path, code) == ["imported", "first 2", "second library.part", "value = 2 False"]


def test_at_once_where_it_is_imported_already(tmp_path: Path) -> None:
    code = """
        import library
        before = list(sys.meta_path)
        when_imported("library", lambda module: print(module.value))
        print(before == sys.meta_path)
    """
    assert says(tmp_path, code) == ["1", "True"]


def test_an_import_that_failed_is_not_the_one(tmp_path: Path) -> None:
    code = """
        import os
        when_imported("broken", lambda module: print("acted"))
        when_imported("nowhere", lambda module: print("never"))
        open("broken", "w").close()
        for name in ("broken", "nowhere"):
            try:
                __import__(name)
            except ImportError as error:
                print(error)
        os.unlink("broken")
        import broken
    """
    assert says(tmp_path, code) == ["broken", "No module named 'nowhere'", "acted"]


def test_a_loader_that_several_modules_share(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as archive:
        archive.writestr("one.py", "print('one')")
        archive.writestr("two.py", "print('two')")
    code = """
        sys.path.insert(0, "many.zip")
        when_imported("one", lambda module: print("acted on", module.__name__))
        import importlib.util
        importlib.util.find_spec("one")
        import two
        import one
    """
    assert says(tmp_path, code) == ["two", "one", "acted on one"]
