"""What git calls for notebooks, and the settings by which it does."""
