"""Training, splits and statistics: what networks of every package need."""
