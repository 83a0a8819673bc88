"""Drum patterns: the grid, the value, and how they are found in scores."""
