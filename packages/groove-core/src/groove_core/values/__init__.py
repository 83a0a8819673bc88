"""What flows between packages: audio, scores, drum patterns, reports."""
