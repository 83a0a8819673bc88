"""Scores and patterns to sound."""
