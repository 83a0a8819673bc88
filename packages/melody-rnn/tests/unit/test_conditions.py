"""What the Transformer is told of melodies, and what a training hides of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from groove_core.errors import UsageError
from groove_core.tunes import METRES
from groove_core.values import LeadSheet
from melody_rnn.composing import Wish, conditions
from melody_rnn.conditions import (
    OPENED,
    conditions_of,
    density_of,
    hidden,
    opened,
    register_of,
)
from melody_rnn.lines import HOLD, NOTE, OPEN, OPEN_ROOT, encode, windows
from melody_rnn.training import Settings, partly_given
from melody_rnn.transformer import DENSITIES, ONSET, REGISTERS, UNKNOWN


def scale(notes_per_bar: int, low: int = 60, bars: int = 4) -> LeadSheet:
    """Make bars of so many notes, which go up from a pitch."""
    rows = [
        (16 * bar + i * 16 // notes_per_bar, 1, low + i % 3, 90)
        for bar in range(bars)
        for i in range(notes_per_bar)
    ]
    return LeadSheet(np.array(rows), length=16 * bars, key="C", chords=((0, "C"),))


def told(*melodies: LeadSheet):
    return conditions_of(windows([encode(one, shift=0) for one in melodies], 96), "cpu")


@pytest.mark.parametrize(
    ("notes", "level"), [(1, 0), (2, 1), (3, 1), (4, 2), (5, 3), (8, 5), (11, 7), (16, 7)]
)
def test_levels_of_density(notes, level):
    """The same for what a melody has and for what is asked for."""
    on = told(scale(notes))
    assert on.density.tolist() == [level]
    asked = conditions(encode(scale(4)), 2, Wish(density=notes), torch.device("cpu"))
    assert asked.density.tolist() == [level] * 2


def test_density_counts_what_belongs_to_the_melody():
    """Neither the silence before a pickup nor that behind the end makes it less dense."""
    sheet = scale(8)
    short = LeadSheet(sheet.notes[:20], pickup=8, length=40)
    assert told(short).density.tolist() == told(sheet).density.tolist() == [5]
    nothing = torch.zeros(2, 32, dtype=torch.int64)
    bar = torch.tensor([16, 16])
    assert density_of(nothing, torch.zeros(2, 32, dtype=torch.bool), bar).tolist() == [0, 0]


@pytest.mark.parametrize(("low", "level"), [(48, 0), (58, 0), (59, 1), (63, 2), (74, 4), (81, 5)])
def test_levels_of_register(low, level):
    """From 56 on a level for each four semitones of the mean."""
    assert told(scale(9, low)).register.tolist() == [level]


def test_silence_has_a_register():
    assert register_of(torch.full((1, 16), HOLD)).tolist() == [0]


def test_conditions_of_windows():
    on = told(scale(4), LeadSheet(scale(4).notes, metre=(3, 4), key="Am", length=72))
    assert on.bar.tolist() == [16, 12]
    assert [METRES[i] for i in on.metre] == [(4, 4), (3, 4)]
    assert on.mode.tolist() == [0, 1]
    assert on.root[0, :64].unique().tolist() == [0]
    assert on.root[0, 64:].unique().tolist() == on.root[1].unique().tolist() == [OPEN_ROOT]


def test_conditions_are_left_open_as_often_as_stated():
    n = 4000
    on = told(*[scale(4)] * 4)
    on = on._replace(**{name: part.repeat(n // 4, *[1] * (part.ndim - 1))
                        for name, part in on._asdict().items()})  # fmt: skip
    random = torch.rand(n, len(OPENED), generator=torch.Generator().manual_seed(1))
    some = hidden(on, random)
    assert torch.equal(some.bar, on.bar)
    assert torch.equal(some.grid, on.grid)
    shares = {
        "metre": some.metre == len(METRES), "mode": some.mode == OPEN,
        "density": some.density == DENSITIES, "register": some.register == REGISTERS,
        "chords": (some.root == OPEN_ROOT).all(dim=1) & (some.chord == 0).all(dim=1),
    }  # fmt: skip
    for name, share in OPENED.items():
        assert float(shares[name].float().mean()) == pytest.approx(share, abs=0.03), name
    kept = ~shares["chords"]
    assert torch.equal(some.root[kept], on.root[kept])


def test_opened_conditions_are_metre_and_mode():
    on = told(scale(4), scale(8))
    found = opened(on)
    for name in ("bar", "grid", "metre", "mode"):
        assert torch.equal(getattr(found, name), getattr(on, name))
    assert found.density.tolist() == [DENSITIES] * 2
    assert found.register.tolist() == [REGISTERS] * 2
    assert (found.root == OPEN_ROOT).all()
    assert not found.chord.any()


# --- what a training gives -------------------------------------------------------------------


def test_what_is_given_in_a_training():
    """Half of the melodies nothing; of others all but a gap, or all but some beats."""
    n, steps = 3000, 64
    generator = torch.Generator().manual_seed(3)
    events = torch.randint(0, 38, (n, steps), generator=generator)
    known = torch.arange(steps) < torch.randint(40, steps + 1, (n, 1), generator=generator)
    random = torch.rand(n, 4, generator=generator)
    beats = torch.rand(n, steps, generator=generator)
    grid = torch.full((n,), 4)
    given = partly_given(events, known, random, beats, grid)
    assert (given[~known] == UNKNOWN).all()
    onset, open_ = given == ONSET, given == UNKNOWN
    assert (events[onset] >= NOTE).all()
    assert torch.equal(given[~onset & ~open_], events[~onset & ~open_])
    what, _, _, rhythm = random.T
    nothing = (open_ | ~known).all(dim=1)
    assert nothing[what < 0.5].all()
    assert not nothing[what >= 0.5].float().mean() > 0.1
    hidden_steps = (onset | open_) & known
    gaps = (what >= 0.5) & (what < 0.85)
    # The steps that are hidden lie together: they begin once.
    begins = torch.diff(hidden_steps.long(), prepend=torch.zeros(n, 1).long()) == 1
    rhythmic = rhythm < 0.3
    assert (begins[gaps & ~rhythmic].sum(dim=1) <= 1).all()
    assert begins[gaps & ~rhythmic].sum(dim=1).float().mean() > 0.95
    # Where a rhythm is given, only pitches are hidden; elsewhere no onset is told.
    assert not (open_ & known)[(what >= 0.5) & rhythmic].any()
    assert not onset[~rhythmic].any()
    scattered = (what >= 0.85) & ~rhythmic
    of_beats = hidden_steps[scattered].reshape(-1, steps // 4, 4)
    whole = known[scattered].reshape(-1, steps // 4, 4).all(dim=2)
    assert ((of_beats.all(dim=2) | ~of_beats.any(dim=2)) | ~whole).all()


def test_the_size_of_the_transformer_is_a_multiple_of_its_heads():
    with pytest.raises(UsageError, match="multiple of 32, not 100") as error:
        Settings.of("transformer", size=100)
    assert error.value.hint == "--size 96"
    assert Settings.of("lookback", size=100).size == 100
    assert Settings.of("transformer", size=64).size == 64
