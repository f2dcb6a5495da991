"""Git, by its own command: objects and refs of ours beside the user's."""
