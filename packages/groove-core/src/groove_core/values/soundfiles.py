"""Sound files, decoded and written piece by piece, so that their length costs no memory."""

from __future__ import annotations

import contextlib
import io
import math
import operator
import os
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from groove_core.errors import InputError, UsageError
from groove_core.files import check_file, kept_reason

__all__ = [
    "AudioInfo",
    "Stretch",
    "all_finite",
    "check_resampling",
    "check_seconds",
    "frame_at",
    "mix",
    "resampled_frames",
    "samples_bytes",
    "span",
    "write",
]

Samples = npt.NDArray[np.float32]

SUFFIXES = (
    "wav", "flac", "ogg", "oga", "opus", "mp3", "aiff", "aif", "aifc", "au", "snd", "caf", "w64",
    "rf64",
)  # fmt: skip
"""Endings of what libsndfile reads; what decides is the content."""
MAX_BYTES = 4 * 2**30
"""What one piece of sound may take in memory, as float32."""
MAX_SAMPLE_RATE = 1_000_000
WRITERS = {
    # ending: container, subtype, most channels, highest sample rate
    "wav": ("WAV", "PCM_16", 1024, 2**31 - 1),
    "flac": ("FLAC", "PCM_16", 8, 655_350),
    # Beyond these, libsndfile 1.2 does not refuse, it crashes.
    "ogg": ("OGG", "VORBIS", 255, 200_000),
}
CHUNK_FRAMES = 2**16
"""Decoded at a time: small enough to stay in the processor's cache."""
VORBIS_LAST_PAGE_FRAMES = 255 * 1024
"""The most that one page of Ogg holds, of the packets that encoders make."""


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What the header of a sound file says.

    ``format`` and ``subtype`` are libsndfile's names, such as ``WAV`` and ``PCM_16``.
    A damaged file may hold less than ``frames``.
    """

    sample_rate: int
    channels: int
    frames: int
    format: str
    subtype: str

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.frames / self.sample_rate

    @classmethod
    def read(cls, path: str | Path) -> AudioInfo:
        """Look at a sound file without decoding it; see `Audio.info`."""
        with _open(Path(path)) as file:
            return cls(file.samplerate, file.channels, file.frames, file.format, file.subtype)


class Stretch:
    """A stretch of a sound file, as it is to be decoded.

    The arguments are those of `Audio.read`, which describes them. Making one opens
    the file and checks what can be checked without decoding; `blocks` decodes, once.

    Attributes
    ----------
    sample_rate : int [Hz]
    channels, frames : int
        Of the result, that is, mixed and resampled. A damaged file may give less.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        sample_rate: int | None = None,
        mono: bool = False,
        start_s: float = 0.0,
        duration_s: float | None = None,
    ) -> None:
        check_seconds(start_s, duration_s)
        if sample_rate is not None:
            sample_rate = check_resampling(sample_rate)
        self._path = Path(path)
        self._file = file = _open(self._path)
        try:
            start, self._stop = span(
                file.frames, file.samplerate, start_s, duration_s, name=str(path)
            )
        except InputError:
            file.close()
            raise
        self._mono = mono and file.channels > 1
        self.sample_rate: int = sample_rate or file.samplerate
        self.channels: int = 1 if mono else file.channels
        # Both rates have a sample at every `period`-th frame of the file. From such a
        # frame on, an excerpt falls on the samples that the resampled whole has.
        period = file.samplerate // math.gcd(file.samplerate, self.sample_rate)
        self._start = start - start % period
        self._skip = (start - self._start) * self.sample_rate // file.samplerate
        self.frames = self._resampled_frames(self._stop - self._start) - self._skip

    def _resampled_frames(self, frames: int) -> int:
        return resampled_frames(frames, self._file.samplerate, self.sample_rate)

    def whole(self) -> Samples:
        """Decode all of it at once.

        Raises
        ------
        InputError
            If it is broken or takes more memory than `MAX_BYTES`.
        """
        size = samples_bytes(self.channels, self.frames)
        if size > MAX_BYTES:
            self._file.close()
            raise InputError(
                f"{self._path} would take {size / 2**30:.1f} GiB of memory.",
                hint="Read an excerpt (duration_s=60), or go through it with Audio.blocks.",
            )
        if self._mono or self.sample_rate != self._file.samplerate:
            pieces = self.blocks(self.frames)
        else:  # as it is in the file: decoded at once and not copied
            pieces = (_frozen(chunk).T for chunk in self._decoded(self.frames))
        with self._file, contextlib.closing(pieces):
            for whole in pieces:
                return whole
        raise self._breaks_off()

    def blocks(self, size: int) -> Generator[Samples, None, None]:
        """Decode in blocks of shape (channels, size), the last one shorter.

        The file is closed at the end, at an error, and when the generator is closed.

        Raises
        ------
        InputError
            If the file is broken.
        """
        block, filled, skip, empty = None, 0, self._skip, True
        with self._file:
            for piece in self._pieces():
                rest, skip = piece[skip:], max(0, skip - len(piece))
                while len(rest):
                    if block is None:
                        block = np.empty((self.channels, size), np.float32)
                    part, rest = rest[: size - filled], rest[size - filled :]
                    block[:, filled : filled + len(part)] = part.T
                    filled, empty = filled + len(part), False
                    if filled == size:
                        yield _frozen(block)
                        block, filled = None, 0
        if block is not None:
            yield _frozen(block[:, :filled].copy())  # without the memory of the unfilled rest
        if empty:
            raise self._breaks_off()

    def _pieces(self) -> Iterator[Samples]:
        """Decode, mix and resample; of shape (frames, channels)."""
        file_rate = self._file.samplerate
        # Of a chunk that is resampled to more, memory must hold the more.
        pieces = self._decoded(max(1, CHUNK_FRAMES * file_rate // max(file_rate, self.sample_rate)))
        if self._mono:
            pieces = map(mix, pieces)
        if self.sample_rate == file_rate:
            yield from pieces
            return
        import soxr

        # HQ is librosa's choice, too. A stream gives the samples that `soxr.resample` of
        # the whole gives, however it is cut.
        resampler = soxr.ResampleStream(file_rate, self.sample_rate, self.channels)
        given = made = 0
        for piece in pieces:
            resampled = resampler.resample_chunk(piece)
            given, made = given + len(piece), made + len(resampled)
            yield resampled
        resampled = resampler.resample_chunk(np.empty((0, self.channels), np.float32), last=True)
        made += len(resampled)
        yield resampled
        # soxr rounds the length, we (and librosa) round it up.
        yield np.zeros((max(0, self._resampled_frames(given) - made), self.channels), np.float32)

    def _decoded(self, chunk_frames: int) -> Iterator[Samples]:
        """Decode in chunks; of shape (frames, channels)."""
        file, position = self._file, self._start
        with self._reporting_damage(position):
            _seek(file, position)
        while position < self._stop:
            with self._reporting_damage(position):
                chunk = _read(file, min(chunk_frames, self._stop - position))
            if not len(chunk):  # the header promised more
                break
            if not all_finite(chunk):
                raise InputError(
                    f"{self._path} holds samples that are not numbers (NaN or infinite).",
                    hint="Export the file again.",
                )
            position += len(chunk)
            yield chunk

    def _breaks_off(self) -> InputError:
        return InputError(
            f"{self._path} breaks off before {self._start / self._file.samplerate:.2f} s, "
            "though its header promises more.",
            hint="Export the file again, or start earlier.",
        )

    @contextlib.contextmanager
    def _reporting_damage(self, position: int) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            before_cs = 100 * (position - self._start) // self._file.samplerate
            way = f"duration_s={before_cs / 100:g}" if before_cs else "Audio.blocks"
            raise InputError(
                f"{self._path} is damaged: {_reason(error)}.",
                hint=f"Export the file again, or read what is before the damage with {way}.",
            ) from error


def _open(path: Path) -> Any:
    import soundfile

    check_file(path, what="an audio file")
    try:
        # As bytes, since names may be any bytes there; Windows has its own way.
        file = soundfile.SoundFile(os.fsencode(path) if os.name == "posix" else path)
    except (RuntimeError, TypeError) as error:  # TypeError: a name that ends in .raw
        raise InputError(
            f"{path} is not an audio file that can be read.",
            hint="Give a wav, flac, ogg, mp3 or aiff file.",
        ) from error
    if file.frames < 1 or file.samplerate < 1:
        problem, hint = "holds no sound", "Give a file with sound in it."
    elif file.frames > 2**62:  # libsndfile's sign for unknown
        problem = "does not say how long it is, as a recording of a stream"
        hint = "Write it anew, for example with ffmpeg -i IN.flac OUT.flac."
    else:
        # Else soundfile seeks after each read to where it is, and a cut mp3 lands elsewhere.
        file.seekable = lambda: False
        return file
    file.close()
    raise InputError(f"{path} {problem}.", hint=hint)


def _reason(error: Exception) -> str:
    """Give what libsndfile says, without the path."""
    return str(getattr(error, "error_string", error)).rstrip(".")


def _read(file: Any, frames: int) -> Samples:
    samples: Samples = file.read(frames, dtype="float32", always_2d=True)
    return samples


def _seek(file: Any, frame: int) -> None:
    near = frame
    if file.subtype == "VORBIS":
        # In the last page libsndfile 1.2 lands wrong by a block (its issue 885): what is
        # there is reached by decoding.
        near = max(0, min(frame, file.frames - VORBIS_LAST_PAGE_FRAMES))
    if near:
        file.seek(near)
    if near < frame:
        _read(file, frame - near)


def write(file: Path | io.BytesIO, suffix: str, samples: Samples, sample_rate: int) -> None:
    """Write samples of shape (channels, frames) as ``wav``, ``flac`` (16 bits) or ``ogg``.

    Raises
    ------
    UsageError
        If the format cannot hold as many channels or this sample rate.
    """
    import soundfile

    container, subtype, most_channels, highest_rate = WRITERS[suffix]
    channels, frames = samples.shape
    try:
        if channels > most_channels or sample_rate > highest_rate:
            limits = f"at most {most_channels} channels and {highest_rate:,} Hz"
            raise soundfile.SoundFileRuntimeError(limits)
        with (
            kept_reason(file) as stream,
            soundfile.SoundFile(
                stream, "w", sample_rate, channels, subtype, format=container
            ) as sound,
        ):
            # In pieces: in one long write, libsndfile's Vorbis encoder overflows the stack.
            for start in range(0, frames, CHUNK_FRAMES):
                # Clipped at full scale: some formats would wrap around.
                sound.write(np.clip(samples[:, start : start + CHUNK_FRAMES].T, -1.0, 1.0))
    except RuntimeError as error:
        raise UsageError(
            f"{channels} channels at {sample_rate} Hz cannot be written as {suffix}: "
            f"{_reason(error)}.",
            hint="Write wav, or change the sound with to_mono() or resampled(48000).",
        ) from error


def all_finite(samples: Samples) -> bool:
    """Tell whether there is no NaN and no infinity among samples."""
    flat = samples.ravel(order="K")
    with np.errstate(all="ignore"):
        # A sum of squares is finite only if all of them are: twice as fast as a look at each.
        return bool(np.isfinite(np.dot(flat, flat)) or np.isfinite(samples).all())


def _frozen(samples: Samples) -> Samples:
    samples.flags.writeable = False
    return samples


def mix(samples: Samples) -> Samples:
    """Give the mean of the channels; of shape (frames, channels), then (frames, 1)."""
    total = samples[:, :1].copy()
    with np.errstate(over="ignore"):  # of samples near the largest float32: refused by Audio
        for channel in range(1, samples.shape[1]):  # three times as fast as mean(axis=1)
            total += samples[:, channel : channel + 1]
    total /= np.float32(samples.shape[1])
    return total


def resampled_frames(frames: int, rate_from: int, rate_to: int) -> int:
    """Give the length after resampling: rounded up, so that no sound is lost."""
    return -(-frames * rate_to // rate_from)


def samples_bytes(channels: int, frames: int) -> int:
    """Give the memory that samples take."""
    return 4 * channels * frames


def frame_at(time_s: float, sample_rate: int) -> int:
    """Give the frame that sounds at a time, whatever floats make of 0.29 s at 100 Hz."""
    return int(time_s * sample_rate + 1e-6)


def span(
    frames: int, sample_rate: int, start_s: float, duration_s: float | None, *, name: str
) -> tuple[int, int]:
    """Give the first frame of an excerpt and the one behind its last, at least one apart.

    Raises
    ------
    InputError
        If nothing is there any more.
    """
    start = frame_at(start_s, sample_rate)
    if start >= frames:
        raise InputError(
            f"{name} is {frames / sample_rate:.2f} s long: nothing is at start_s={start_s:g}.",
            hint=f"start_s={math.floor(50 * frames / sample_rate) / 100:g}",
        )
    if duration_s is None:
        return start, frames
    return start, min(frames, start + max(1, frame_at(duration_s, sample_rate)))


def check_seconds(start_s: float, duration_s: float | None) -> None:
    """Check where an excerpt is to be.

    Raises
    ------
    UsageError
        If `start_s` is negative, `duration_s` not positive, or one is not a number.
    """
    if not 0 <= start_s < math.inf:
        raise UsageError(f"start_s cannot be {start_s}.", hint="start_s=0")
    if duration_s is not None and not 0 < duration_s < math.inf:
        raise UsageError(f"duration_s cannot be {duration_s}.", hint="duration_s=30")


def check_resampling(sample_rate: int) -> int:
    """Check a sample rate to resample to.

    Raises
    ------
    UsageError
        If it is not a whole number of 1 to `MAX_SAMPLE_RATE`.
    """
    with contextlib.suppress(TypeError):
        if 1 <= operator.index(sample_rate) <= MAX_SAMPLE_RATE:
            return operator.index(sample_rate)
    raise UsageError(
        f"sample_rate cannot be {sample_rate}: a whole number of 1 to {MAX_SAMPLE_RATE:,} Hz.",
        hint="sample_rate=44100",
    )
