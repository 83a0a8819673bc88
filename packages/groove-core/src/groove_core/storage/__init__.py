"""Files, folders, caches and checkpoints on disk."""
