"""What a sampler makes of the kits that gansynth-lite exports: each key, played by sfizz.

    pip install pysfizz
    python benchmarks/kits.py           # a kit of each family; a few minutes
    python benchmarks/kits.py --json

Each key of a kit is held for ten seconds, struck hard (velocity 110) and softly (velocity 50).
Measured is what sfizz plays, not the samples that it was given.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pysfizz
import torch

from gansynth_lite import export
from gansynth_lite.pitch import cents, detect_f0, note_name
from gansynth_lite.sound import load_generator
from groove_core.console import track
from groove_core.values import Cell, Report

RATE = 44_100
HELD_S = 10.0
HARD, SOFT = 110, 50
DIP_DB = 6.0
COLUMNS = (
    "kit", "keys", "first sample [dB of peak]", "after 10 s [dB of loudest]",
    "from key to key, most [dB]", "cents off, median", "within 10 cents", "no pitch found",
    "second attack", "above 8 kHz [dB]", "softly: dB an octave",
)  # fmt: skip

Floats = npt.NDArray[np.float64]


def played(kit: Path, keys: range, velocity: int) -> list[Floats]:
    """Let sfizz play keys, each held, and mix the two channels."""
    synth = pysfizz.Synth(sample_rate=RATE, block_size=1024)
    synth.load_sfz_file(str(kit))
    made = (synth.render_note(key, velocity, HELD_S, HELD_S + 1) for key in keys)
    # What was rendered longer is the release, which would be heard in the next note otherwise.
    return [np.asarray(one, np.float64).mean(axis=0)[: round(HELD_S * RATE)] for one in made]


def levels(sound: Floats, window_s: float, hop_s: float) -> Floats:
    """Return the level of a sound from moment to moment [dB]."""
    width, hop = round(window_s * RATE), round(hop_s * RATE)
    total = np.concatenate([[0.0], np.square(sound).cumsum()])
    return 10 * np.log10((total[width::hop] - total[:-width:hop]) / width + 1e-12)


def dip(sound: Floats, key: int) -> float:
    """Return the deepest dip within .6 s of the onset, below the lower of its sides [dB].

    Levels are of 2.5 periods at least, and what is more than 12 dB below the loudest is no attack.
    """
    window_s = max(0.016, 2.5 / (440 * 2 ** ((key - 69) / 12)))
    level = levels(sound[: round(0.8 * RATE)], window_s, 0.004)
    deepest = 0.0
    for t in range(1, len(level) - 1):
        before, after = level[:t].max(), level[t + 1 :].max()
        if min(before, after) > level.max() - 12:
            deepest = max(deepest, min(before, after) - level[t])
    return deepest


def fall(soft: Floats, hard: Floats, key: int) -> float:
    """Return by how much softer a soft note is for each octave above the fundamental [dB]."""
    f0, found = 440 * 2 ** ((key - 69) / 12), []
    both = [np.square(np.abs(np.fft.rfft(one[:RATE]))) for one in (soft, hard)]
    for octave in range(5):
        low, high = (round(f0 * 2 ** (octave + side)) for side in (-0.5, 0.5))
        if high < RATE / 2:
            found.append(10 * np.log10(both[0][low:high].sum() / both[1][low:high].sum()))
    return float(np.polyfit(range(len(found)), found, 1)[0])


def measured(family: str, kit: Path, keys: range) -> tuple[Cell, ...]:
    """Measure the keys of a kit."""
    hard, soft = played(kit, keys, HARD), played(kit, keys, SOFT)
    both = [*hard, *soft]
    peaks = [np.abs(one).max() for one in both]
    first = max(abs(one[0]) / peak for one, peak in zip(both, peaks, strict=True))
    loud = np.array([[levels(one, 0.4, 0.02).max() for one in some] for some in (hard, soft)])
    ends = np.array([levels(one[-RATE // 2 :], 0.4, 0.02).max() for one in hard])
    pitches = torch.tensor([*keys]).float()
    f0 = detect_f0(torch.from_numpy(np.stack(hard)[:, : 3 * RATE]).float(), RATE)
    off = cents(f0, pitches).abs().numpy()
    found = off < 50
    dips = [dip(one, key) for one, key in zip(both, [*keys, *keys], strict=True)]
    spectra = [np.square(np.abs(np.fft.rfft(one[: 2 * RATE]))) for one in hard]
    bright = np.median([10 * np.log10(one[16_000:].sum() / one.sum()) for one in spectra])
    darker = np.median([fall(a, b, key) for a, b, key in zip(soft, hard, keys, strict=True)])
    return (
        family,
        f"{note_name(keys[0])} to {note_name(keys[-1])}",
        20 * np.log10(first + 1e-6),
        float(np.median(ends - loud[0])),
        float(np.abs(np.diff(loud, axis=1)).max()),
        float(np.median(off[found])),
        float(np.mean(off[found] <= 10)),
        float(np.mean(~found)),
        float(np.mean(np.array(dips) > DIP_DB)),
        float(bright),
        float(darker),
    )


def main() -> None:
    """Export a kit of each family, and measure it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--families", nargs="*", help="default: all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    families = options.families or load_generator(None, "cpu")[0].families
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for family in track(families, "kits"):
            kit = export(family=family, seed=options.seed)
            path = kit.save(Path(folder, f"{family}.sfz"))
            spans = kit.keys().values()
            keys = range(min(low for low, _ in spans), max(high for _, high in spans) + 1)
            rows.append(measured(family, path, keys))
    report = Report(
        f"kits in sfizz, seed {options.seed}",
        COLUMNS,
        tuple(rows),
        notes=(
            f"Each key is held for {HELD_S:g} s, at velocities {HARD} and {SOFT}; sfizz "
            f"(pysfizz {pysfizz.__version__}), {RATE} Hz.",
            f"second attack: share of notes with a dip of more than {DIP_DB:g} dB behind an onset.",
            "after 10 s: the median key, struck hard; what is struck or plucked has faded.",
            "cents: of the keys where a pitch within 50 cents is found (YIN up to 1,200 Hz).",
            "softly: how much darker a soft stroke is, for each octave above the fundamental.",
        ),
        data={"seed": options.seed},
    )
    print(json.dumps(report.to_json()) if options.json else report.to_text())


if __name__ == "__main__":
    main()
