"""Decoders of sound files: libsndfile, once for each part of a file, or ffmpeg."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from groove_core.console import note
from groove_core.errors import InputError
from groove_core.storage.files import check_file
from groove_core.values.sound.containers import Part, View, foreign, parts

__all__ = ["CHUNK_FRAMES", "Decoder", "open_sound", "reason"]

Samples = npt.NDArray[np.float32]

UNKNOWN = 2**48
"""Frames from which on a length is libsndfile's sign that it does not know it."""
STALLED_S = 60.0
"""How long ffmpeg may be silent before it is ended."""
CHUNK_FRAMES = 2**16
"""Decoded at a time: small enough to stay in the processor's cache."""
VORBIS_LAST_PAGE_FRAMES = 255 * 1024
"""The most that one page of Ogg holds, of the packets that encoders make."""
PREROLL_FRAMES = 2**16
"""Decoded before an excerpt, and thrown away, where a frame leans on earlier ones: the bits of
an MP3 frame of 8 kbit/s may lie in the 85 before, of 576 samples each."""


class Decoder:
    """A stream that libsndfile decodes.

    Attributes
    ----------
    samplerate : int [Hz]
    channels : int
    format, subtype : str
        libsndfile's names.
    frames : int or None
        None where only decoding tells.
    """

    plain = True
    """Whether libsndfile reads the file as it is."""

    def __init__(self, file: Any, part: Part | None = None) -> None:
        # Else soundfile seeks after each read to where it is, and a cut mp3 lands elsewhere.
        file.seekable = lambda: False
        self._file = file
        self.samplerate: int = file.samplerate
        self.channels: int = file.channels
        self.format: str = file.format
        self.subtype: str = file.subtype
        self.frames: int | None = file.frames if file.frames < UNKNOWN else None
        if part is not None and part.frames is not None:
            self.frames = part.frames
        self._seekable = self.frames is not None and (part is None or part.seekable)

    def read(self, frames: int) -> Samples:
        """Decode what comes next, of shape (frames, channels).

        It may be less than asked for, and is nothing at the end.
        """
        samples: Samples = self._file.read(frames, dtype="float32", always_2d=True)
        return samples

    def seek(self, frame: int) -> None:
        """Go from the beginning to a frame; what is read there is what the whole has there."""
        near = frame if self._seekable else 0
        if self.subtype == "VORBIS":
            # In the last page libsndfile 1.2 lands wrong by a block (its issue 885): what is
            # there is reached by decoding.
            near = min(near, (self.frames or 0) - VORBIS_LAST_PAGE_FRAMES)
        elif self.subtype == "OPUS" or self.subtype.startswith("MPEG"):
            near -= PREROLL_FRAMES
        if near > 0:
            self._file.seek(near)
        self._skip(frame - max(0, near))

    def _skip(self, frames: int) -> None:
        while frames > 0 and (decoded := len(self.read(min(frames, CHUNK_FRAMES)))):
            frames -= decoded

    def close(self) -> None:
        """Close the file; more than once does no harm."""
        self._file.close()

    def __enter__(self) -> Decoder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Viewed(Decoder):
    """A part of a file."""

    plain = False

    def __init__(self, path: Path, part: Part) -> None:
        self._view = View(path, part)
        try:
            super().__init__(_sound_file(self._view), part)
        except BaseException:
            self._view.close()
            raise

    def close(self) -> None:
        super().close()
        self._view.close()


class _Chain(Decoder):
    """Parts of a file, one after the other; only one is open at a time."""

    plain = False

    def __init__(self, path: Path, found: list[Part]) -> None:
        self._path, self._parts = path, found
        self._lengths: list[int | None] = []
        rates = set()
        for part in found:
            with _Viewed(path, part) as one:
                rates.add((one.samplerate, one.channels))
                self._lengths.append(one.frames)
        if len(rates) > 1:
            raise InputError(
                f"{path} holds recordings of different sample rates or channels, joined.",
                hint="Cut it into a file for each of them.",
            )
        self._open(0)
        super().__init__(self._now._file)
        self.frames = None if None in self._lengths else sum(n or 0 for n in self._lengths)

    def _open(self, number: int) -> None:
        self._number, self._now = number, _Viewed(self._path, self._parts[number])
        self._left = self._lengths[number]

    def read(self, frames: int) -> Samples:
        while True:
            samples = self._now.read(frames if self._left is None else min(frames, self._left))
            if self._left is not None:
                self._left -= len(samples)
            if len(samples) or self._number + 1 == len(self._parts):
                return samples
            self._now.close()
            self._open(self._number + 1)

    def seek(self, frame: int) -> None:
        number = 0
        for length in self._lengths[:-1]:
            if length is None or frame < length:
                break
            frame, number = frame - length, number + 1
        self._now.close()
        self._open(number)
        length = self._left
        if length is not None and frame < length:
            self._now.seek(frame)
            self._left = length - frame
        else:
            self._skip(frame)

    def close(self) -> None:
        self._now.close()


class _FFmpeg(Decoder):
    """What ffmpeg decodes, read from a pipe: no file lies anywhere."""

    plain = False

    def __init__(self, program: str, path: Path, demuxer: str) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        # The demuxer is named, since some would follow addresses that a file names.
        source = ["-f", demuxer, "-protocol_whitelist", "file,pipe", "-i", f"file:{path}"]
        target = ["-map", "0:a:0", "-c:a", "pcm_f32be", "-f", "au", "pipe:1"]
        self._process = subprocess.Popen(
            [program, "-v", "error", "-nostdin", *source, *target],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )
        self._path, self._noted = path, False
        try:
            assert self._process.stdout is not None
            with self._in_time():
                super().__init__(_sound_file(self._process.stdout.fileno(), closefd=False))
        except BaseException:
            self._end()
            raise
        self.format, self.subtype, self.frames = demuxer.upper(), "FFMPEG", None
        self._seekable = False

    def read(self, frames: int) -> Samples:
        with self._in_time():
            samples = super().read(frames)
            failed = len(samples) < frames and self._process.wait()
        if len(samples) < frames:
            self._errors.seek(0)
            said = self._errors.read().decode(errors="replace").split("\n")
            problem = f"ffmpeg says: {' '.join(said[:2]).strip()[:160]}"
            if failed and not any(said):
                problem = f"ffmpeg said nothing for {STALLED_S:g} s"
            if failed:
                raise RuntimeError(problem)
            if any(said) and not self._noted:  # it goes on over damage
                self._noted = True
                note(f"warning: {self._path}: {problem}")
        return samples

    @contextlib.contextmanager
    def _in_time(self) -> Iterator[None]:
        timer = threading.Timer(STALLED_S, self._process.kill)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _end(self) -> None:
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def close(self) -> None:
        super().close()
        self._end()


def _sound_file(file: Any, **options: Any) -> Any:
    import soundfile

    return soundfile.SoundFile(file, **options)


def open_sound(path: Path) -> Decoder:
    """Open a sound file; the content says how, not the ending.

    Raises
    ------
    InputError
        If the file is missing, not a sound file, or without sound.
    """
    check_file(path, what="an audio file")
    try:
        # As bytes, since names may be any bytes there; Windows has its own way.
        file = _sound_file(os.fsencode(path) if os.name == "posix" else path)
    except (RuntimeError, TypeError) as error:  # TypeError: a name that ends in .raw
        decoder = _foreign(path, error)
    else:
        decoder = _native(path, file)
    if decoder.frames == 0 or decoder.samplerate < 1:
        decoder.close()
        raise InputError(f"{path} holds no sound.", hint="Give a file with sound in it.")
    return decoder


def _native(path: Path, file: Any) -> Decoder:
    found = parts(path, file.format, file.subtype, file.frames)
    if not found:
        return Decoder(file)
    file.close()
    try:
        return _Viewed(path, found[0]) if len(found) == 1 else _Chain(path, found)
    except RuntimeError as error:
        raise InputError(
            f"{path} is damaged: {reason(error)}.", hint="Export the file again."
        ) from error


def _foreign(path: Path, error: Exception) -> Decoder:
    unreadable = InputError(
        f"{path} is not an audio file that can be read.",
        hint="Give a wav, flac, ogg, mp3 or aiff file.",
    )
    known = foreign(path)
    if known is None:
        raise unreadable from error
    name, demuxer = known
    program = shutil.which("ffmpeg")
    if program is None:
        raise InputError(
            f"{path} is {name}, which is read through ffmpeg, and ffmpeg is not installed.",
            hint="Install ffmpeg (https://ffmpeg.org), or convert the file to wav, flac or mp3.",
        ) from error
    try:
        return _FFmpeg(program, path, demuxer)
    except (RuntimeError, OSError) as problem:
        raise unreadable from problem


def reason(error: Exception) -> str:
    """Return what libsndfile says, without the path."""
    return str(getattr(error, "error_string", error)).rstrip(".")
