"""A notebook as one HTML page that needs nothing else."""

from mlwidgets.reports.page.making import export

__all__ = ["export"]
