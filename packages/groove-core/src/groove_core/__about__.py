"""The version of groove-core, written here and nowhere else."""

__version__ = "0.1.0"
