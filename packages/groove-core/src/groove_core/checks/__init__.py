"""The rules that plugins keep, and how they are checked."""

from __future__ import annotations

from groove_core.checks.check import Checked, Examined, check_plugin, examine
from groove_core.checks.rules import RULES, Problem

__all__ = ["RULES", "Checked", "Examined", "Problem", "check_plugin", "examine"]
