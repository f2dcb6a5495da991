"""From code and variables to a run's spec, and from a run's result back to variables."""
