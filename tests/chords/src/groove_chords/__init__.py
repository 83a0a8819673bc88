"""Chord charts, and a network that writes them."""
