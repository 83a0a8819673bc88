"""The network: p(next | chord) = softmax(W[chord])."""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch.nn.functional import cross_entropy

from groove_chords.chart import NAMES, Chart
from groove_core.learning import Training


class Chords(torch.nn.Embedding):
    def __init__(self):
        super().__init__(len(NAMES), len(NAMES))
        self.config = {}

    def write(self, bars, seed):
        generator = torch.Generator().manual_seed(seed)
        chords = [int(torch.randint(len(NAMES), (1,), generator=generator))]
        while len(chords) < bars:
            chances = self(torch.tensor(chords[-1], device=self.weight.device)).softmax(0).cpu()
            chords.append(int(torch.multinomial(chances, 1, generator=generator)))
        return Chart(tuple(NAMES[chord] for chord in chords))


@dataclass(frozen=True)
class Settings:
    epochs: int = 20
    batch_size: int = 16
    learning_rate: float = 0.1


def pairs(charts):
    numbers = [[NAMES.index(chord) for chord in chart.chords] for chart in charts]
    return torch.tensor([pair for line in numbers for pair in pairwise(line)])


class ChordTraining(Training[Settings, torch.Tensor, Chords]):
    package = "groove-chords"

    def build(self):
        return Chords()

    def loss(self, batch, step):
        before, after = step.part(self.data[batch]).T
        loss = cross_entropy(self.modules["model"](before), after)
        return loss, {"cross-entropy": loss}

    def card(self):
        return {
            "data": {"pairs": len(self.data)},
            "intended_use": "Tests.",
            "limits": "Triads.",
            "paper": "",
        }
