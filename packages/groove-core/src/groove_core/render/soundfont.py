"""Scores to sound: fluidsynth where it is installed, else a renderer from a wheel."""

from __future__ import annotations

import functools
import importlib.util
import io
import os
import shutil
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from groove_core.errors import InputError, UsageError
from groove_core.storage.files import check_file
from groove_core.values.midi.parts import by_port
from groove_core.values.scores.score import MAX_HOURS, Score
from groove_core.values.scores.writing import write
from groove_core.values.sound.audio import Audio

__all__ = ["find_soundfont", "render", "renderer_name", "save_wav"]

TAIL_S = 1.0
"""How long the last notes may ring."""


def find_soundfont() -> Path:
    """Find the soundfont: ``GROOVE_SOUNDFONT``, else the one in pretty_midi's wheel.

    Raises
    ------
    InputError
        If it is not there.
    """
    chosen = os.environ.get("GROOVE_SOUNDFONT")
    if chosen:
        return check_file(chosen, what="a soundfont (.sf2)")
    spec = importlib.util.find_spec("pretty_midi")
    if spec is None or spec.origin is None:
        raise InputError("There is no soundfont.", hint="pip install pretty_midi")
    return check_file(Path(spec.origin).with_name("TimGM6mb.sf2"), what="a soundfont (.sf2)")


def renderer_name() -> str:
    """Return which renderer `render` uses: ``fluidsynth`` or ``midirenderer``.

    ``GROOVE_RENDERER`` chooses one by name.
    """
    chosen = os.environ.get("GROOVE_RENDERER", "")
    if chosen in ("fluidsynth", "midirenderer"):
        return chosen
    if chosen:
        raise UsageError(
            f"GROOVE_RENDERER cannot be {chosen!r}.", hint="Choose fluidsynth or midirenderer."
        )
    return "fluidsynth" if shutil.which("fluidsynth") else "midirenderer"


def render(
    score: Score,
    *,
    peak_dbfs: float = -1.0,
    soundfont: str | os.PathLike[str] | None = None,
    sample_rate: int | None = None,
) -> Audio:
    """Play a score with a General MIDI soundfont.

    Parameters
    ----------
    score : Score
    peak_dbfs : float
        Level of the loudest sample.
    soundfont : path of an .sf2 file, optional
        That of `find_soundfont` when left out.
    sample_rate : int, optional [Hz]
        What the renderer gives when left out: 44,100 or 48,000.

    Returns
    -------
    Audio
        Stereo; as long as the score, and up to `TAIL_S` seconds of ringing. A score
        without notes gives that much silence.

    Raises
    ------
    InputError
        If the soundfont is missing or broken, or the score lasts longer than `MAX_HOURS`.
    """
    if score.duration_s > MAX_HOURS * 3600:
        raise InputError(
            f"{score.name} lasts {score.duration_s / 3600:,.1f} hours; at most {MAX_HOURS} are "
            "rendered.",
            hint="Cut it into pieces, or look for a stray note at its end.",
        )
    if not any(len(track.notes) for track in score.tracks):
        rate = sample_rate or 44_100
        return Audio(np.zeros((2, int(rate * (score.duration_s + TAIL_S))), np.float32), rate)
    if soundfont is None:
        soundfont = find_soundfont()
    else:
        soundfont = check_file(soundfont, what="a soundfont (.sf2)")
    name = renderer_name()
    # Renderers stop where the file ends.
    tail_ticks = TAIL_S * float(score.tempo_at(score.end_tick)) / 60 * score.ticks_per_quarter
    longer = replace(score, end_tick=score.end_tick + int(tail_ticks) + 1)
    try:
        # They know of one port, that is, of 16 channels.
        audio = _mixed(
            [
                decode(with_midirenderer(file.dump(), soundfont))
                if name == "midirenderer"
                else decode(_fluidsynth(file.dump(), soundfont, sample_rate or 44_100))
                for file in by_port(write(longer).silenced())
            ]
        )
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        raise InputError(
            f"{name} cannot render with {soundfont}: {error}.", hint="groove doctor"
        ) from error
    audio = audio.resampled(sample_rate) if sample_rate else audio
    frames = int((score.duration_s + TAIL_S) * audio.sample_rate)
    samples = audio.samples[:, :frames].copy()
    fade = min(samples.shape[1], int(0.05 * audio.sample_rate))
    samples[:, samples.shape[1] - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
    return Audio(samples, audio.sample_rate).normalized(peak_dbfs)


def save_wav(score: Score, path: Path) -> None:
    """Play a score with `render`, and write the sound."""
    render(score).save(path)


def _mixed(sounds: list[Audio]) -> Audio:
    first, *others = sounds
    if not others:
        return first
    samples = np.zeros((2, max(one.samples.shape[1] for one in sounds)), np.float32)
    for one in sounds:
        samples[:, : one.samples.shape[1]] += one.samples
    return Audio(samples, first.sample_rate)


def decode(wav: bytes) -> Audio:
    """Return the sound of a WAV file."""
    import soundfile

    samples, sample_rate = soundfile.read(io.BytesIO(wav), dtype="float32", always_2d=True)
    return Audio(samples.T, sample_rate)


@functools.lru_cache(maxsize=1)
def _bytes_of(path: Path, modified: float) -> bytes:
    return path.read_bytes()


def with_midirenderer(midi: bytes, soundfont: Path) -> bytes:
    """Return a MIDI file as WAV, played by midirenderer."""
    from midirenderer import render_wave_from

    wav: bytes = render_wave_from(_bytes_of(soundfont, soundfont.stat().st_mtime), midi)
    return wav


def _fluidsynth(midi: bytes, soundfont: Path, sample_rate: int) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "in.mid"), Path(folder, "out.wav")
        source.write_bytes(midi)
        subprocess.run(
            ["fluidsynth", "-ni", "-q", "-r", str(sample_rate), "-F", target, soundfont, source],
            check=True,
            capture_output=True,
        )
        return target.read_bytes()
