"""The commands of ``mlwidgets``, by what they are about; `mlwidgets.cli` puts them together."""
