"""What reading and saving does to MIDI files, against mido and a renderer.

    python benchmarks/midi.py FOLDER_OR_ZIP ...              # every event of every file
    python benchmarks/midi.py FOLDER_OR_ZIP ... --render 40  # and the sound of some

Each file is read and saved untouched. Its events, channel by channel and in their order, must be
those of the source as mido reads both, and its duration mido's. Files that mido does not read are
counted. The sound of some files, rendered
by midirenderer, is compared with that of the untouched file.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import math
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mido
import numpy as np
import soundfile
from midirenderer import render_wave_from

from groove_core.errors import InputError
from groove_core.render import find_soundfont
from groove_core.values import Score

ENDINGS = (".mid", ".midi")
# mido refuses files with keys that it does not know: here it learns a name for each.
KEYS = mido.midifiles.meta
for key in itertools.product(range(-128, 128), range(256)):
    name = KEYS._key_signature_decode.setdefault(key, f"key {key}")
    KEYS._key_signature_encode.setdefault(name, key)


def files(places: list[Path]) -> Iterator[tuple[str, bytes]]:
    """List the MIDI files of folders and zip files."""
    for place in places:
        if place.suffix == ".zip":
            with zipfile.ZipFile(place) as archive:
                for name in sorted(archive.namelist()):
                    if name.lower().endswith(ENDINGS):
                        yield f"{place.name}:{name}", archive.read(name)
            continue
        for path in sorted(place.rglob("*")):
            if path.suffix.lower() == ".zip":
                yield from files([path])
            elif path.suffix.lower() in ENDINGS:
                yield str(path.relative_to(place)), path.read_bytes()


def told(content: bytes) -> tuple[dict[Any, list[Any]], float]:
    """List what each channel is told, in order (meta and system events: channel None)."""
    file = mido.MidiFile(file=io.BytesIO(content), charset="latin-1")
    found = []
    for index, track in enumerate(file.tracks):
        at = 0
        for message in track:
            at += message.time
            if message.type != "end_of_track":
                found.append((at, index, message.copy(time=0)))
    channels: dict[Any, list[Any]] = {}
    for at, _, message in sorted(found, key=lambda event: event[0]):
        channels.setdefault(getattr(message, "channel", None), []).append((at, message))
    return channels, file.length


def sound(content: bytes) -> np.ndarray:
    """Render a file."""
    wav = render_wave_from(find_soundfont().read_bytes(), content)
    return soundfile.read(io.BytesIO(wav), dtype="float64")[0]


def main() -> None:
    """Compare, and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("places", nargs="+", type=Path, help="folders or zip files of MIDI files")
    parser.add_argument("--render", type=int, default=0, help="how many files to listen to")
    options = parser.parse_args()
    counts = dict.fromkeys(
        ("files", "events", "refused", "not read by mido", "events differ", "length differs"), 0
    )
    kept: list[tuple[str, bytes, bytes]] = []
    for name, content in files(options.places):
        counts["files"] += 1
        try:
            score = Score.from_midi(content, name=name)
        except InputError as error:
            counts["refused"] += 1
            print(error, file=sys.stderr)
            continue
        saved = score.to_midi()
        try:
            before, length = told(content)
        except Exception as error:  # of whatever kind mido raises
            counts["not read by mido"] += 1
            print(f"{name}: mido says {error}", file=sys.stderr)
            continue
        counts["events"] += sum(map(len, before.values()))
        after, length_after = told(saved)
        if after != before:
            counts["events differ"] += 1
            print(f"{name}: its events differ", file=sys.stderr)
        if max(abs(length_after - length), abs(score.duration_s - length)) > 1e-3:
            counts["length differs"] += 1
            print(f"{name}: {length:.3f} s are {score.duration_s:.3f} s", file=sys.stderr)
        kept.append((name, content, saved))
    report: dict[str, Any] = dict(counts)
    if options.render and kept:
        worst = -math.inf
        step = max(1, len(kept) // options.render)
        chosen = kept[::step][: options.render]
        for _, content, saved in chosen:
            one, other = sound(content), sound(saved)
            length = max(len(one), len(other))
            one, other = (np.pad(s, ((0, length - len(s)), (0, 0))) for s in (one, other))
            difference = np.abs(one - other).max() / max(np.abs(one).max(), 1e-9)
            worst = max(worst, 20 * math.log10(max(difference, 1e-10)))
        report |= {"rendered": len(chosen), "largest difference in dB of the peak": round(worst, 1)}
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
