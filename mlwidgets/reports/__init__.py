"""A finished notebook as one page: self-contained, without a script, safe to pass on.

Nothing here executes anything. What the notebook holds is taken as untrusted: only what is on an allow list is shown.
"""
