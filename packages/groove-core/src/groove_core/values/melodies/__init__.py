"""Melodies and lead sheets: one line of notes, with chords and words."""
