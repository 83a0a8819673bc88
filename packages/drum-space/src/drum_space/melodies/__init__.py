"""Melodies on a beat: lines cut from music with drums, a recurrent network, songs."""
