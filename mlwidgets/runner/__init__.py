"""From a run folder to an outcome: the supervisor, and the worker that it starts."""

GRACE = 10.0
"""Seconds that the code has to end after it was interrupted."""

SAVING_GRACE = 120.0
"""Seconds that it has instead once it is saving its result."""
