"""The map of a latent space: patterns on a plane, and from any point of it back to a beat."""
