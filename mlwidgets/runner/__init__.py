"""From a run folder to an outcome: the supervisor, and the worker that it starts."""
