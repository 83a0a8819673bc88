"""The version of groove-vae, written here and nowhere else."""

__version__ = "0.1.0"
