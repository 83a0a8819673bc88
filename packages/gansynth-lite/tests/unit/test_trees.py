"""Trees tell families from log-mel spectrograms."""

from __future__ import annotations

import pytest
import torch

from gansynth_lite.trees import FamilyTrees


@pytest.mark.slow
def test_trees_hear_families_and_leave_out_unknown_ones():
    generator = torch.Generator().manual_seed(0)
    families = torch.arange(120) % 3
    log_mels = torch.randn(120, 8, 16, generator=generator) - 40
    log_mels[torch.arange(120), 2 * families] += 20  # each family is loud in a band of its own
    pitches = torch.randint(24, 85, (120,), generator=generator)
    labels = families.where(torch.arange(120) % 10 > 0, -1)
    trees = FamilyTrees(log_mels[:90], pitches[:90], labels[:90], seed=1)
    told = trees.told(log_mels[90:], pitches[90:])
    assert (told == families[90:]).float().mean() > 0.9
    assert set(told.tolist()) <= {0, 1, 2}
    again = FamilyTrees(log_mels[:90], pitches[:90], labels[:90], seed=1)
    assert torch.equal(again.told(log_mels[90:], pitches[90:]), told)
