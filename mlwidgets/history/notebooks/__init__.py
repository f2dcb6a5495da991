"""Notebooks as they are compared and kept: read from any file that Jupyter writes, without any library."""
