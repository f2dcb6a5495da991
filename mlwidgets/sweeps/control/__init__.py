"""The process that leads a sweep: asks the search, starts trials as runs, ends poor ones, goes on after a kill."""
