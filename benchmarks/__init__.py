"""Our figures beside those of what a user would use otherwise: ``python -m benchmarks``."""
