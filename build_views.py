"""Build step of the package: make the JavaScript of the live views and the JupyterLab extension with npm.

A wheel and an sdist carry the built files, so only a git checkout comes here.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from hatch_jupyter_builder import npm_builder

BUILT = [
    Path("mlwidgets", *name.split("/"))
    for name in ("views/static/run.js", "server/static/panel.js", "labextension/install.json")
]


def build(target_name: str, version: str) -> None:
    """Run ``npm install`` and ``npm run build``, or say plainly why that cannot be done."""
    if shutil.which("node") and shutil.which("npm"):
        npm_builder(target_name, version, npm=["npm"], build_cmd="build")
    elif not all(path.exists() for path in BUILT):
        raise SystemExit(
            "mlwidgets: a git checkout builds its JavaScript with node (20.19 or newer) and npm, which are not "
            "on PATH. Install node, or install mlwidgets from a wheel or an sdist: those need no node."
        )
