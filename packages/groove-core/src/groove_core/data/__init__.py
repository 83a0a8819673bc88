"""Folders of recordings: whether they are fit to learn from, and what is in them twice."""

from __future__ import annotations

from groove_core.data.check import check

__all__ = ["check"]
