"""A notebook and its text twin: two files that say the same, whichever of them was edited."""
