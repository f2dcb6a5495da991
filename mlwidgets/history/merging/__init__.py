"""Three states of a notebook become one: merged cell by cell, as git merges lines."""
