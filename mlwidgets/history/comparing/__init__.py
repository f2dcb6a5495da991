"""What differs between runs: what was asked, where they ran, and what came of it."""
