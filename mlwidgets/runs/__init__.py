"""What a run is and where it is kept. Standard library and numpy only."""
