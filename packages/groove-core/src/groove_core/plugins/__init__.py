"""Finding and loading packages."""
