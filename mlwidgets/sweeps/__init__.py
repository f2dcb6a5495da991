"""Searches over parameters: what is searched, who chooses, who ends a poor trial, and who sees it through."""
