"""Notebooks as text in the percent format, and back."""
