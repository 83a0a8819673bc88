"""A second judge of families, of another kind than a network, and in no choice of a generator.

Geurts, Ernst and Wehenkel, "Extremely Randomized Trees" (Machine Learning 63, 2006), on levels of
log-mel spectrograms. It learns from the training notes whenever a model is measured, in seconds.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

__all__ = ["FamilyTrees"]

TREES = 300
FEWEST = 2
"""Notes in a leaf."""


class FamilyTrees:
    """Families of notes by randomized trees on their log-mel spectrograms and pitches.

    Parameters
    ----------
    log_mels : Tensor [shape=(n, bands, frames), dB]
        Of real notes, see `gansynth_lite.metrics.log_mel`.
    pitches : Tensor [shape=(n,), MIDI]
    families : Tensor [shape=(n,), int]
        Notes of unknown family (-1) are left out.
    seed : int
    """

    def __init__(self, log_mels: Tensor, pitches: Tensor, families: Tensor, seed: int = 0) -> None:
        from sklearn.ensemble import ExtraTreesClassifier

        known = families >= 0
        self.trees = ExtraTreesClassifier(
            TREES, min_samples_leaf=FEWEST, class_weight="balanced", random_state=seed
        )
        self.trees.fit(_described(log_mels[known], pitches[known]), families[known].numpy())

    def told(self, log_mels: Tensor, pitches: Tensor) -> Tensor:
        """Return the most likely family of notes [shape=(n,), int]."""
        return torch.from_numpy(self.trees.predict(_described(log_mels, pitches)))


def _described(log_mels: Tensor, pitches: Tensor) -> npt.NDArray[np.float32]:
    """Describe notes by their mean spectrum, how it changes, how loud they are, and their pitch."""
    quarter = max(1, log_mels.shape[2] // 4)
    begin, end = log_mels[..., :quarter].mean(dim=2), log_mels[..., -quarter:].mean(dim=2)
    loudness = log_mels.amax(dim=1)
    parts = (log_mels.mean(dim=2), begin - end, loudness, pitches[:, None])
    found: npt.NDArray[np.float32] = torch.cat([one.float() for one in parts], dim=1).numpy()
    return found
