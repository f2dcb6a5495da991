"""What a notebook was before: snapshots in git, read without any library. Standard library only."""
