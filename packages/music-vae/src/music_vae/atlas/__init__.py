"""The map of phrases: choruses, verses and bridges on a plane that plays."""
