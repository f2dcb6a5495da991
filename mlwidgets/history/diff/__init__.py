"""What changed between two notebooks: cells, lines, words, outputs."""
