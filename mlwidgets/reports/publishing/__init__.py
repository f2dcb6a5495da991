"""Editions of reports: made of ended runs, switched at once, kept for a while, compared with each other."""
