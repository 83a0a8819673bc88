"""MIDI files: their events, what instruments play in them, and their texts."""
