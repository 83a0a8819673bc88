"""How near encoded instruments come to the recorded notes that they are of, and to other notes.

    python benchmarks/encoding.py piano=keyboard saxophone=reed --json

Each folder holds single notes of one family; notes whose names differ in their number only
(``ff-048``, ``A2v10`` and ``C3v10``) are of one instrument. Each is encoded at its pitch and played
again; and played at other pitches, for which there are recordings to compare with.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soxr
import torch
from torch import Tensor

from gansynth_lite.classifier import hear
from gansynth_lite.encoding import to_note
from gansynth_lite.envelope import finished, parted
from gansynth_lite.holding import frames_of, locked
from gansynth_lite.likeness import Likeness
from gansynth_lite.recordings import pitch_of_name
from gansynth_lite.sound import Voice, load_classifier
from groove_core.console import note, track
from groove_core.errors import InputError
from groove_core.learning import about_intervals, mean, wilson
from groove_core.storage import list_files
from groove_core.values import Audio, Cell, Report

OTHERS, NEAR = (4, 7), 2
"""Semitones above the encoded note that are played, too: the recorded ones that are so near."""
LONGEST_S = 8.0
"""Of a recording: what a sampler plays seven semitones higher still lasts four seconds."""
ENCODED, ALONE, HELD = "encoded", "its code alone, as drawn", "its code alone, held"
COLUMNS = (
    "", "notes", "log-mel distance [dB]", "decay after 1 s within 3 dB", "after 3 s",
    "attack off, median [ms]", "cents off, median", "its family", "family as of the recording",
)  # fmt: skip


class Recorded(NamedTuple):
    """A recorded note."""

    instrument: str
    family: str
    audio: Audio
    samples: Tensor
    pitch: float
    end_s: float
    heard: str
    """Family that the classifier hears in it."""


class Row(NamedTuple):
    """A note that is compared with a recorded one."""

    likeness: Likeness
    families: tuple[str, str, str]
    """Of the instrument, heard in the recording, heard in what is played."""


class Comparison:
    """Recorded notes, and what is played in their place."""

    def __init__(self) -> None:
        self.voice = Voice.load(None, "cpu", 1, 0)
        self.judge = load_classifier(None, "cpu")
        self.layout = self.voice.model.layout
        self.rows: dict[str, list[Row]] = defaultdict(list)
        self.seconds: list[float] = []

    def told(self, samples: Tensor) -> str:
        """Return the family that the classifier hears."""
        return self.judge.families[int(hear(self.judge, [samples[None]]).families[0].argmax())]

    def read(self, folder: Path, family: str) -> list[Recorded]:
        """Read the notes of a folder that the model plays."""
        found, rate = [], self.layout.sample_rate
        for file in list_files(folder, Audio.suffixes[:-1]):
            audio = Audio.read(file, mono=True, sample_rate=rate, duration_s=2 * LONGEST_S)
            try:
                named = pitch_of_name(file.stem)
                one = to_note(audio, self.layout, None, file.name, named=named)
                if one.pitch != self.voice.nearest(one.pitch):
                    raise InputError(f"{file.name} is out of the model's range.", hint="")
            except InputError as error:
                note(f"left out: {error}")
                continue
            name = folder.name + re.sub(r"[A-G]#?\d(?=v)|\d{3}", "", file.stem)
            told = self.told(one.samples)
            found.append(Recorded(name, family, audio, one.samples, one.pitch, one.end_s, told))
        return found

    def compare(self, name: str, real: Recorded, made: Tensor) -> None:
        """Add a note that is played in place of a recorded one to a row."""
        made = torch.nn.functional.pad(made, (0, max(0, self.layout.samples - len(made))))
        made = made[: self.layout.samples] / made.abs().max()
        rate = self.layout.sample_rate
        likeness = Likeness.of(real.samples, made, rate, real.pitch, real.end_s)
        self.rows[name].append(Row(likeness, (real.family, real.heard, self.told(made))))

    @torch.inference_mode()
    def played(self, w: Tensor, pitch: float, names: Sequence[str]) -> dict[str, Tensor]:
        """Play a note with its envelope, without, and without but held."""
        code, envelope = parted(w, self.voice.model.code)
        at = torch.tensor([pitch])
        drawn = self.voice.model(code, at, torch.Generator().manual_seed(1))
        pictures, frames = locked(drawn, self.layout), frames_of(self.layout.samples, self.layout)
        ways = {
            ENCODED: (frames, True, envelope),
            ALONE: (self.layout.frames, False, 0 * envelope),
            HELD: (frames, True, 0 * envelope),
        }
        made = {}
        for name in names:
            count, hold, used = ways[name]
            made[name] = finished(
                pictures, self.layout, count, hold=hold, pitches=at, envelopes=used
            )[0]
        return made

    def shifted(self, of: Recorded, pitch: float) -> Tensor:
        """Play a recorded note faster or slower, as samplers do."""
        mono = of.audio.samples[0]
        onset = int((np.abs(mono) > 0.01 * np.abs(mono).max()).argmax())
        longest = mono[onset:][: round(LONGEST_S * self.layout.sample_rate)]
        made = soxr.resample(longest, 2 ** ((pitch - of.pitch) / 12), 1)
        return torch.from_numpy(made.astype(np.float32))

    def note(self, one: Recorded, notes: Sequence[Recorded]) -> None:
        """Encode a note, play it, and play others of its instrument."""
        before = time.perf_counter()
        value = self.voice.encoded([one.audio], str(one.pitch), 0)
        self.seconds.append(time.perf_counter() - before)
        w, model = self.voice.instrument(value), self.voice.model
        self.compare("the recording itself", one, one.samples)
        for name, made in self.played(w, one.pitch, (ENCODED, ALONE, HELD)).items():
            self.compare(name, one, made)
        mine = model.known[model.groups == model.families.index(one.family)]
        middle = torch.cat([mine.mean(dim=0, keepdim=True), 0 * w[:, model.code :]], dim=1)
        self.compare("middle of its family", one, self.played(middle, one.pitch, (ALONE,))[ALONE])
        same = [other for other in notes if other.instrument == one.instrument and other is not one]
        near = min(same, key=lambda other: abs(other.pitch - one.pitch))
        self.compare("its neighbour, by a sampler", one, self.shifted(near, one.pitch))
        for away in OTHERS:
            goal = min(same, key=lambda other: abs(other.pitch - one.pitch - away))
            if abs(goal.pitch - one.pitch - away) <= NEAR:
                for name, made in self.played(w, goal.pitch, (ENCODED, ALONE)).items():
                    self.compare(f"at other pitches: {name}", goal, made)
                self.compare("at other pitches: by a sampler", goal, self.shifted(one, goal.pitch))

    def report(self) -> Report:
        """Sum up."""
        return Report(
            f"{len(self.seconds)} recorded notes, encoded and played",
            COLUMNS,
            tuple(cells(name, found) for name, found in self.rows.items()),
            notes=(
                "log-mel distance: root mean square difference of log-mel spectrograms, over what "
                "was recorded, 4 s at most.",
                "decay: level relative to the loudest moment, of notes recorded for so long.",
                "other pitches: of the encoded instrument, the recorded notes nearest to "
                f"{' and '.join(map(str, OTHERS))} semitones above; a sampler plays faster.",
                "families: as the shipped classifier hears them.",
                f"Encoding a note takes {np.median(self.seconds):.1f} s (median), "
                f"{max(self.seconds):.1f} s at most.",
                about_intervals("notes"),
            ),
        )


def main() -> None:
    """Encode, play, and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", metavar="FOLDER=FAMILY")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    comparison = Comparison()
    notes: list[Recorded] = []
    for pair in options.folders:
        folder, _, family = pair.rpartition("=")
        notes += comparison.read(Path(folder), family)
    order = np.random.default_rng(1).permutation(len(notes)).tolist()
    try:
        for place in track(order, "playing"):
            comparison.note(notes[place], notes)
    except KeyboardInterrupt:
        note("stopped: the table is of the notes so far, in an order of chance.")
    report = comparison.report()
    print(json.dumps(report.to_json()) if options.json else report.to_text())


def cells(name: str, found: Sequence[Row]) -> tuple[Cell, ...]:
    """Sum up the notes of a row."""
    likenesses = [one.likeness for one in found]
    falls = np.array([
        np.subtract(one.made.falls_db, one.real.falls_db) for one in likenesses
    ])  # fmt: skip
    known = np.isfinite(falls)
    attack = [abs(one.made.attack_s - one.real.attack_s) * 1000 for one in likenesses]
    cents = [abs(one.made.cents - one.real.cents) for one in likenesses]
    wanted, real, made = zip(*(one.families for one in found), strict=True)
    right = [sum(a == b for a, b in zip(made, of, strict=True)) for of in (wanted, real)]
    return (
        name, len(found), mean(np.array([one.away_db for one in likenesses])),
        *(
            wilson(int((np.abs(falls[:, i]) <= 3).sum()), int(known[:, i].sum()))
            for i in range(falls.shape[1])
        ),
        float(np.median(attack)), float(np.nanmedian(cents)),
        *(wilson(count, len(found)) for count in right),
    )  # fmt: skip


if __name__ == "__main__":
    main()
