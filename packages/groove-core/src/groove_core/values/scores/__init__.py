"""Scores: notes of any number of instruments, in musical time."""
