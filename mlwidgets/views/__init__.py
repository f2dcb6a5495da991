"""What a run looks like: live in a notebook, and as the still picture that it leaves behind.

Nothing here holds a run's state. Every view reads the run folder, through `Run`, when it is drawn.
"""
