"""What a notebook can be given: read, checked, put in."""
