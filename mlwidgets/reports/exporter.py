"""``jupyter nbconvert --to mlreport``: the one file that imports nbconvert, and that nbconvert imports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nbconvert.exporters import Exporter
from traitlets import Bool

from mlwidgets.reports.page.about import About
from mlwidgets.reports.page.making import Options, export, page

__all__ = ["ReportExporter", "export"]


class ReportExporter(Exporter):  # type: ignore[misc,unused-ignore]
    """Writes a notebook as one HTML page that needs nothing else and runs nothing."""

    export_from_notebook = "Report (one page)"
    output_mimetype = "text/html"

    show_code = Bool(False, help="Show code; else it is folded away.").tag(config=True)

    def _file_extension_default(self) -> str:
        return ".html"

    def from_notebook_node(  # type: ignore[override,unused-ignore]
        self, nb: Any, resources: Any = None, **kw: Any
    ) -> tuple[str, Any]:
        """Return the page of a notebook, after the preprocessors that were asked for."""
        nb, resources = super().from_notebook_node(nb, resources, **kw)
        metadata = resources.get("metadata", {})
        name, folder = metadata.get("name"), metadata.get("path")
        # nbconvert's own --no-input sets it for the exporters with templates.
        leave_out = self.config.get("TemplateExporter", {}).get("exclude_input", False) is True
        about = About(notebook=f"{name}.ipynb" if name else "")
        options = Options(self.show_code, leave_out, Path(folder or ".") if name else None)
        return page(nb, about, options), resources
