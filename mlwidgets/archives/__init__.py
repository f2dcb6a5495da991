"""Runs as archives: taken out of a store, and brought into another one without executing anything of theirs."""
