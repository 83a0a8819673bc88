"""Speed and memory of everything about sound, against librosa in one run.

    python benchmarks/audio.py path/to/music              # all, on your own files
    python benchmarks/audio.py path/to/music --only hpss
    python benchmarks/audio.py path/to/music --busy       # while another core is busy

Takes the first 30 seconds of every file that has them. Needs librosa.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import librosa
import numpy as np
import scipy.ndimage
import soundfile
import torch
from pairs import pair, show

from groove_core import Audio, dsp

RATE = 22050
CLIP_S = 30


faster = functools.partial(pair, faster=True)


def hpss(clips: list[np.ndarray], rounds: int) -> Iterator[dict]:
    """Harmonic-percussive separation, and whether its medians are the same numbers."""
    spectrograms = [np.abs(librosa.stft(y)) for y in clips]
    tensors = [torch.from_numpy(s) for s in spectrograms]
    equal = all(
        np.array_equal(
            dsp.running_median(t, 31, dim=dim).numpy(),
            scipy.ndimage.median_filter(s, size=[(31, 1), (1, 31)][dim], mode="reflect"),
        )
        for s, t in zip(spectrograms, tensors, strict=True)
        for dim in (0, 1)
    )
    row = faster(
        f"hpss: {len(clips)} clips of {CLIP_S} s / librosa.decompose.hpss",
        lambda: [dsp.hpss(t) for t in tensors],
        lambda: [librosa.decompose.hpss(s) for s in spectrograms],
        rounds,
    )
    yield {**row, "medians equal bit for bit": equal}


def windows(clips: list[np.ndarray], rounds: int) -> Iterator[dict]:
    """Features of the genre map: 3 s windows, half overlapping, harmonic and percussive mel."""
    feature = dsp.WindowedFeatures(dsp.HarmonicPercussive(n_mels=84), 3.0, 1.5)
    filters = librosa.filters.mel(sr=RATE, n_fft=2048, n_mels=84)

    def by_windows(y: np.ndarray, starts: list[int]) -> np.ndarray:
        made = []
        for start in starts:
            magnitude = np.abs(librosa.stft(y[start : start + 3 * RATE]))
            made.append(np.concatenate([filters @ p for p in librosa.decompose.hpss(magnitude)]))
        return np.stack(made)

    starts = feature.starts(CLIP_S * RATE).tolist()
    plain = [k * 3 * RATE // 2 for k in range(len(starts))]
    ours = [feature(torch.from_numpy(y)).numpy() for y in clips]
    same = [by_windows(y, starts) for y in clips]
    shifted = [by_windows(y, plain) for y in clips]
    row = faster(
        f"windows: {len(clips)} clips of {CLIP_S} s, {len(starts)} windows / librosa by windows",
        lambda: [feature(torch.from_numpy(y)) for y in clips],
        lambda: [by_windows(y, starts) for y in clips],
        rounds // 3,
    )

    def largest(theirs: list[np.ndarray]) -> float:
        return float(max(np.abs(a - b).max() / b.max() for a, b in zip(ours, theirs, strict=True)))

    def mean(theirs: list[np.ndarray]) -> float:
        both = zip(ours, theirs, strict=True)
        return float(np.mean([np.abs(a - b).mean() / b.mean() for a, b in both]))

    yield {
        **row,
        "largest difference": f"{largest(same):.1e}",
        "mean difference where starts are no whole hops": mean(shifted),
    }


def features(clips: list[np.ndarray], rounds: int) -> Iterator[dict]:
    """Mel and MFCC of one clip and of a batch."""
    one = clips[0]
    starts = np.linspace(0, len(one) - 3 * RATE, 64).astype(int)
    batch = np.stack([one[s : s + 3 * RATE] for s in starts])
    pairs = (
        ("mel", dsp.Mel(), librosa.feature.melspectrogram),
        ("mfcc", dsp.MFCC(), librosa.feature.mfcc),
    )
    for name, feature, peer in pairs:
        yield faster(
            f"{name}: one clip of {CLIP_S} s / librosa",
            lambda f=feature: f(torch.from_numpy(one)),
            lambda p=peer: p(y=one),
            4 * rounds,
        )
        yield faster(
            f"{name}: 64 windows of 3 s / librosa, one by one",
            lambda f=feature: f(torch.from_numpy(batch)),
            lambda p=peer: [p(y=y) for y in batch],
            rounds,
        )
        yield faster(
            f"{name}: 64 windows of 3 s / librosa, as one array",
            lambda f=feature: f(torch.from_numpy(batch)),
            lambda p=peer: p(y=batch),
            rounds,
        )


def reading(clips: list[np.ndarray], rounds: int) -> Iterator[dict]:
    """Decode and resample what music comes as: 44,100 Hz in stereo to 22,050 Hz mono."""
    with tempfile.TemporaryDirectory() as folder:
        for suffix, container, subtype in (
            ("mp3", "MP3", "MPEG_LAYER_III"), ("ogg", "OGG", "VORBIS"),
            ("flac", "FLAC", "PCM_16"), ("wav", "WAV", "PCM_16"),
        ):  # fmt: skip
            paths = []
            for number, y in enumerate(clips):
                wide = librosa.resample(y, orig_sr=RATE, target_sr=44100)
                stereo = np.stack([wide, np.roll(wide, 99)], axis=1)
                paths.append(Path(folder, f"{number}.{suffix}"))
                soundfile.write(paths[-1], stereo, 44100, format=container, subtype=subtype)
            yield faster(
                f"reading: {len(paths)} {suffix} files to {RATE} Hz mono / librosa.load",
                lambda p=paths: [Audio.read(x, sample_rate=RATE, mono=True) for x in p],
                lambda p=paths: [librosa.load(x, sr=RATE) for x in p],
                rounds,
            )


HOUR = """
import re, sys
from pathlib import Path
from groove_core import dsp
def megabytes():  # the peak since this program began; Linux
    return int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
before = megabytes()
shapes = [feature.extract(sys.argv[1]).shape for feature in (dsp.MFCC(), dsp.Mel())]
print(round(megabytes() - before), *shapes)
"""


def hour(clips: list[np.ndarray], rounds: int) -> Iterator[dict]:
    """Peak memory, above the import, of an hour of stereo through MFCC and mel."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "hour.flac")
        stereo = np.stack([clips[0]] * 2, axis=1)
        with soundfile.SoundFile(path, "w", 44100, 2) as file:
            for _ in range(3600 * 44100 // len(stereo)):
                file.write(stereo)
        done = subprocess.run(
            [sys.executable, "-c", HOUR, path], check=True, capture_output=True, text=True
        )
    megabytes, _, shapes = done.stdout.strip().partition(" ")
    yield {"name": "hour: MFCC and mel of an hour", "peak, MB": int(megabytes), "shapes": shapes}


@contextlib.contextmanager
def busy() -> Iterator[None]:
    """Occupy a core: threads that wait for each other would then wait for it."""
    loop = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        loop.kill()
        loop.wait()


PARTS = (hpss, windows, features, reading, hour)


def main() -> None:
    """Run the benchmarks that were asked for and print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("music", type=Path, help="folder of sound files")
    parser.add_argument("--only", nargs="+", choices=[part.__name__ for part in PARTS])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--busy", action="store_true", help="with a loop that occupies a core")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    clips = [
        np.array(Audio.read(path, sample_rate=RATE, mono=True, duration_s=CLIP_S).samples[0])
        for path in Audio.files(options.music)
        if Audio.info(path).duration_s >= CLIP_S
    ]
    if not clips:
        parser.error(f"{options.music} has no file of {CLIP_S} s")
    rows = []
    with busy() if options.busy else contextlib.nullcontext():
        for part in PARTS:
            if not options.only or part.__name__ in options.only:
                rows += part(clips, options.rounds)
    show(f"Sound: {len(clips)} clips beside librosa", rows, as_json=options.json)


if __name__ == "__main__":
    main()
