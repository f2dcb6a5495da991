"""The process that executes a report's notebook in a kernel of its own."""
