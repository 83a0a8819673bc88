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
from gansynth_lite.envelope import parted
from gansynth_lite.likeness import Likeness
from gansynth_lite.metrics import apart, log_mel
from gansynth_lite.recordings import pitch_of_name
from gansynth_lite.sound import Voice, load_classifier
from gansynth_lite.sources import open_notes
from groove_core.console import note, track
from groove_core.errors import InputError
from groove_core.learning import about_intervals, mean, wilson
from groove_core.storage import Cache, list_files
from groove_core.values import Audio, Cell, Report

OTHERS = 4, 7
"""Semitones above the encoded note that are played, too: the nearest recorded ones, by two."""
COLUMNS = (
    "", "notes", "log-mel distance [dB]", "decay after 1 s within 3 dB", "after 3 s",
    "attack off, median [ms]", "cents off, median", "its family", "family as of the recording",
)  # fmt: skip


class Recorded(NamedTuple):
    """A recorded note, and its encoded instrument."""

    instrument: str
    family: str
    audio: Audio
    samples: Tensor
    pitch: float
    end_s: float
    w: Tensor
    seconds: float


class Row(NamedTuple):
    """A note that is compared with a recorded one."""

    likeness: Likeness
    families: tuple[str, str, str]
    """Of the instrument, heard in the recording, heard in what is played."""


def recorded(folder: Path, family: str, voice: Voice) -> list[Recorded]:
    """Encode the notes of a folder that the model plays."""
    found = []
    for file in track(list_files(folder, Audio.suffixes[:-1]), f"encoding {folder.name}"):
        audio = Audio.read(file)
        before = time.perf_counter()
        try:
            value = voice.encoded([audio], None, 0)
        except InputError as error:
            note(f"left out: {error}")
            continue
        seconds = time.perf_counter() - before
        named = pitch_of_name(file.stem)
        one = to_note(audio, voice.model.layout, None, file.name, named=named)
        name = folder.name + re.sub(r"[A-G]#?\d(?=v)|\d{3}", "", file.stem)
        w = voice.instrument(value)
        found.append(Recorded(name, family, audio, one.samples, one.pitch, one.end_s, w, seconds))
    return found


def main() -> None:
    """Encode, play, and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", metavar="FOLDER=FAMILY")
    parser.add_argument("--soundfont", help="also compare with the nearest of its notes")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    voice, judge = Voice.load(None, "cpu", 1, 0), load_classifier(None, "cpu")
    layout = voice.model.layout
    notes: list[Recorded] = []
    for pair in options.folders:
        folder, _, family = pair.rpartition("=")
        notes += recorded(Path(folder), family, voice)
    centres = {
        family: voice.model.known[voice.model.groups == voice.model.families.index(family)].mean(
            dim=0, keepdim=True
        )
        for family in {one.family for one in notes}
    }
    rows: dict[str, list[Row]] = defaultdict(list)

    def told(samples: Tensor) -> str:
        return judge.families[int(hear(judge, [samples[None]]).families[0].argmax())]

    def compare(name: str, real: Recorded, made: Tensor, pitch: float | None = None) -> None:
        made = torch.nn.functional.pad(made, (0, max(0, layout.samples - len(made))))
        made = made[: layout.samples] / made.abs().max()
        likeness = Likeness.of(real.samples, made, layout.sample_rate, real.pitch, real.end_s)
        rows[name].append(Row(likeness, (real.family, told(real.samples), told(made))))

    def played(w: Tensor, pitch: float, held_s: float | None = None) -> Tensor:
        [sound] = voice.notes(w, [pitch], held_s)
        return torch.from_numpy(sound.samples[0].copy())

    def shifted(of: Recorded, pitch: float) -> Tensor:
        """Play a recorded note faster or slower, as samplers do."""
        mono = of.audio.to_mono().resampled(layout.sample_rate).samples[0]
        onset = int((np.abs(mono) > 0.01 * np.abs(mono).max()).argmax())
        speed = 2 ** ((pitch - of.pitch) / 12)
        return torch.from_numpy(soxr.resample(mono[onset:], speed, 1).astype(np.float32))

    for one in track(notes, "playing"):
        code, _ = parted(one.w, voice.model.code)
        compare("the recording itself", one, one.samples)
        compare("encoded", one, played(one.w, one.pitch))
        compare("its code alone, as drawn", one, played(code, one.pitch))
        compare("its code alone, held", one, played(code, one.pitch, layout.duration_s))
        compare("middle of its family", one, played(centres[one.family], one.pitch))
        same = [other for other in notes if other.instrument == one.instrument and other is not one]
        near = min(same, key=lambda other: abs(other.pitch - one.pitch))
        compare("its neighbour, by a sampler", one, shifted(near, one.pitch))
        for away in OTHERS:
            goal = min(same, key=lambda other: abs(other.pitch - one.pitch - away))
            if abs(goal.pitch - one.pitch - away) > 2:
                continue
            compare("at other pitches: encoded", goal, played(one.w, goal.pitch))
            compare("at other pitches: its code alone", goal, played(code, goal.pitch))
            compare("at other pitches: by a sampler", goal, shifted(one, goal.pitch))
    if options.soundfont:
        for one, near_one in zip(notes, nearest(notes, options.soundfont, voice), strict=True):
            compare("nearest training note", one, near_one)
    seconds = [one.seconds for one in notes]
    report = Report(
        f"{len(notes)} recorded notes, encoded and played",
        COLUMNS,
        tuple(cells(name, found) for name, found in rows.items()),
        notes=(
            "log-mel distance: root mean square difference of log-mel spectrograms, over what was "
            "recorded, 4 s at most.",
            "decay: level relative to the loudest moment, of notes that are recorded for so long.",
            "other pitches: of the encoded instrument, the recorded notes nearest to "
            f"{' and '.join(map(str, OTHERS))} semitones above; a sampler plays faster.",
            "families: as the shipped classifier hears them.",
            f"Encoding a note takes {np.mean(seconds):.1f} s, {max(seconds):.1f} s at most.",
            about_intervals("notes"),
        ),
        data={"seconds": seconds, "per_instrument": per_instrument(notes, rows)},
    )
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


def per_instrument(notes: Sequence[Recorded], rows: dict[str, list[Row]]) -> dict[str, list[float]]:
    """Return the mean distance, encoded and by the code alone, of each instrument."""
    found: dict[str, list[list[float]]] = defaultdict(list)
    for one, *pair in zip(notes, rows["encoded"], rows["its code alone, as drawn"], strict=True):
        found[one.instrument].append([row.likeness.away_db for row in pair])
    return {name: np.mean(both, axis=0).round(2).tolist() for name, both in found.items()}


def nearest(notes: Sequence[Recorded], soundfont: str, voice: Voice) -> list[Tensor]:
    """Return the note of a soundfont that is nearest to each, of its pitch."""
    layout = voice.model.layout
    known = open_notes(soundfont, samples=layout.samples, cache=Cache())
    found = []
    for one in track(notes, "comparing with training notes"):
        which = torch.from_numpy(np.flatnonzero(known.pitches == round(one.pitch)))
        count = round(one.end_s * layout.sample_rate)
        wanted = log_mel(one.samples[None, :count], layout.sample_rate)
        away = [
            apart(
                log_mel(known.sounds(some)[:, :count], layout.sample_rate),
                wanted.expand(len(some), -1, -1),
            )
            for some in which.split(32)
        ]
        best = which[torch.cat(away).argmin()]
        found.append(known.sounds(best[None])[0])
    return found


if __name__ == "__main__":
    main()
