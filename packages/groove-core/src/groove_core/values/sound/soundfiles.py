"""Sound files, decoded and written piece by piece, so that their length costs no memory."""

from __future__ import annotations

import contextlib
import io
import math
import operator
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from groove_core.console import note
from groove_core.errors import InputError, UsageError
from groove_core.storage.files import kept_reason
from groove_core.values.sound.decoding import CHUNK_FRAMES, UNKNOWN, open_sound, reason

__all__ = [
    "AudioInfo",
    "Balance",
    "Stretch",
    "all_finite",
    "cancelling",
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
    "rf64", "mp2", "m4a", "m4b", "aac", "wma", "ac3", "amr", "ape", "mka", "mpc", "tta", "wv",
    "dsf", "weba",
)  # fmt: skip
"""Endings of what libsndfile reads, or ffmpeg; what decides is the content."""
MAX_BYTES = 4 * 2**30
"""What one piece of sound may take in memory, as float32."""
MAX_SAMPLE_RATE = 1_000_000
LOUDEST = 1e10
"""Times full scale; 32-bit integers that were written as floats have a fifth of it. Powers and
sums of what is louder are not finite."""
MAX_STRETCHING, SMALL_BYTES = 64, 64 * 2**20
"""How many samples resampling may make of one where many come out: 44,100 Hz of 690 Hz."""
CANCELLED = 0.01
"""Part of the power that a mix keeps of channels that cancel. Of two independent channels it
keeps half; of wide stereo, hardly less than a tenth."""
WRITERS: dict[str, tuple[str, dict[int, str], int, int]] = {
    # ending: container, its subtypes by bits, most channels, highest sample rate
    "wav": ("WAV", {16: "PCM_16", 24: "PCM_24", 32: "FLOAT"}, 1024, 2**31 - 1),
    "flac": ("FLAC", {16: "PCM_16", 24: "PCM_24"}, 8, 655_350),
    # Beyond these, libsndfile 1.2 does not refuse, it crashes.
    "ogg": ("OGG", {16: "VORBIS"}, 255, 200_000),
}


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What a sound file says of itself.

    ``format`` and ``subtype`` are libsndfile's names, such as ``WAV`` and ``PCM_16``; of what
    ffmpeg decodes, that of its demuxer, such as ``MOV``, and ``FFMPEG``. A damaged file may hold
    less than ``frames``.
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
        """Look at a sound file; see `Audio.info`."""
        with open_sound(Path(path)) as file:
            frames = file.frames
            about = file.samplerate, file.channels, file.format, file.subtype
        if frames is None:
            frames = sum(block.shape[1] for block in Stretch(path).blocks(CHUNK_FRAMES))
        return cls(*about[:2], frames, *about[2:])


class Stretch:
    """A stretch of a sound file, as it is to be decoded.

    The arguments are those of `Audio.read`, which describes them. Making one opens
    the file and checks what can be checked without decoding; `blocks` decodes, once.

    Attributes
    ----------
    sample_rate : int [Hz]
    channels : int
    frames : int or None
        Of the result, that is, mixed and resampled. A damaged file may give less; None where
        only decoding tells the length.
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
        self._seconds = start_s, duration_s
        self._file = file = open_sound(self._path)
        try:
            start, self._stop = span(
                UNKNOWN if file.frames is None else file.frames,
                file.samplerate, start_s, duration_s, name=str(path),
            )  # fmt: skip
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
        self.frames: int | None = None
        if file.frames is not None:
            self.frames = self._resampled_frames(self._stop - self._start) - self._skip

    def _resampled_frames(self, frames: int) -> int:
        return resampled_frames(frames, self._file.samplerate, self.sample_rate)

    def whole(self) -> Samples:
        """Decode all of it at once.

        Raises
        ------
        InputError
            If it is broken or takes more memory than `MAX_BYTES`, or `SMALL_BYTES` where that is
            more than `MAX_STRETCHING` times what is in the file.
        """
        file, frames = self._file, self.frames
        stretched = self.sample_rate > MAX_STRETCHING * file.samplerate
        most = SMALL_BYTES if stretched else MAX_BYTES
        if samples_bytes(self.channels, frames or 0) > most:
            file.close()
            raise self._too_large(frames or 0)
        if frames is None:
            size, pieces = 0, []
            with contextlib.closing(self.blocks(CHUNK_FRAMES)) as blocks:
                for block in blocks:
                    pieces.append(block)
                    size += block.shape[1]
                    if samples_bytes(self.channels, size) > MAX_BYTES:
                        raise self._too_large(size)
            return _frozen(np.concatenate(pieces, axis=1))
        if self._mono or self.sample_rate != file.samplerate or not file.plain:
            found = list(self.blocks(frames))  # one
        else:  # as it is in the file: decoded at once and not copied
            with file:
                found = [_frozen(chunk).T for chunk in self._decoded(frames)]
        if not found:
            raise self._breaks_off()
        return found[0]

    def _too_large(self, frames: int) -> InputError:
        size = samples_bytes(self.channels, frames)
        return InputError(
            f"{self._path} would take {size / 2**30:.1f} GiB of memory.",
            hint="Read an excerpt (duration_s=60), or go through it with Audio.blocks.",
        )

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
        size = max(1, CHUNK_FRAMES * file_rate // max(file_rate, self.sample_rate))
        pieces = self._mixed(size) if self._mono else self._decoded(size)
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

    def _mixed(self, chunk_frames: int) -> Iterator[Samples]:
        """Decode and mix; where the channels cancel, the loudest is taken alone."""
        balance, channel = Balance(), None
        for piece in self._decoded(chunk_frames):
            begins = not balance.sounds
            mixed = balance.mix(piece)
            if begins and balance.cancels:  # only then is it worth to look at the rest first
                channel = self._cancelling(chunk_frames)
            yield mixed if channel is None else piece[:, channel : channel + 1]
        if balance.cancels:
            note(f"warning: {self._path}: {balance.told(alone=channel is not None)}")

    def _cancelling(self, chunk_frames: int) -> int | None:
        start_s, duration_s = self._seconds
        again = Stretch(self._path, start_s=start_s, duration_s=duration_s)
        with again._file:
            return cancelling(again._decoded(chunk_frames))

    def _decoded(self, chunk_frames: int) -> Iterator[Samples]:
        """Decode in chunks; of shape (frames, channels)."""
        file, position = self._file, self._start
        with self._reporting_damage(position):
            file.seek(position)
        while position < self._stop:
            with self._reporting_damage(position):
                chunk = file.read(min(chunk_frames, self._stop - position))
            if not len(chunk):  # the end, whatever the header promised
                break
            if not all_finite(chunk):
                raise InputError(
                    f"{self._path} holds samples that are not numbers (NaN or infinite).",
                    hint="Export the file again.",
                )
            if max(chunk.max(), -chunk.min()) > LOUDEST:
                raise InputError(
                    f"{self._path} holds samples of more than {LOUDEST:g} times full scale.",
                    hint="Export the file again; float samples are from -1 to 1.",
                )
            position += len(chunk)
            yield chunk

    def _breaks_off(self) -> InputError:
        start_s = self._start / self._file.samplerate
        if self._file.frames is None:
            return InputError(f"{self._path} ends before {start_s:.2f} s.", hint="Start earlier.")
        return InputError(
            f"{self._path} breaks off before {start_s:.2f} s, though its header promises more.",
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
                f"{self._path} is damaged: {reason(error)}.",
                hint=f"Export the file again, or read what is before the damage with {way}.",
            ) from error


def write(
    file: Path | io.BytesIO, suffix: str, samples: Samples, sample_rate: int, *, bits: int = 16
) -> None:
    """Write samples of shape (channels, frames) as ``wav``, ``flac`` or ``ogg``.

    Raises
    ------
    UsageError
        If the format cannot hold as many channels, this sample rate or these bits.
    """
    import soundfile

    container, subtypes, most_channels, highest_rate = WRITERS[suffix]
    if bits not in subtypes:
        raise UsageError(
            f"{suffix} is not written with {bits} bits.",
            hint=f"Use bits={' or '.join(map(str, subtypes))}.",
        )
    subtype = subtypes[bits]
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
                piece = samples[:, start : start + CHUNK_FRAMES].T
                # Clipped at full scale: some formats would wrap around. Floats hold more.
                sound.write(piece if subtype == "FLOAT" else np.clip(piece, -1.0, 1.0))
    except RuntimeError as error:
        raise UsageError(
            f"{channels} channels at {sample_rate} Hz cannot be written as {suffix}: "
            f"{reason(error)}.",
            hint="Write wav, or change the sound with to_mono() or resampled(48000).",
        ) from error


def all_finite(samples: Samples) -> bool:
    """Return whether there is no NaN and no infinity among samples."""
    flat = samples.ravel(order="K")
    with np.errstate(all="ignore"):
        # A sum of squares is finite only if all of them are: twice as fast as a look at each.
        return bool(np.isfinite(np.dot(flat, flat)) or np.isfinite(samples).all())


def _frozen(samples: Samples) -> Samples:
    samples.flags.writeable = False
    return samples


def mix(samples: Samples) -> Samples:
    """Return the mean of the channels; of shape (frames, channels), then (frames, 1)."""
    total = samples[:, :1].copy()
    with np.errstate(over="ignore"):  # of samples near the largest float32: refused by Audio
        for channel in range(1, samples.shape[1]):  # three times as fast as mean(axis=1)
            total += samples[:, channel : channel + 1]
    total /= np.float32(samples.shape[1])
    return total


class Balance:
    """How much of the sound of channels is left when they are mixed."""

    def __init__(self) -> None:
        self._powers: npt.NDArray[np.float64] | float = 0.0
        self._mixed = 0.0

    def mix(self, samples: Samples) -> Samples:
        """Return the mean of the channels, of shape (frames, channels), then (frames, 1)."""
        mixed = mix(samples)
        # Overflow is refused as not finite, by whoever takes the samples.
        with np.errstate(all="ignore"):
            self._powers += np.array([np.dot(one, one) for one in samples.T], np.float64)
            self._mixed += float(np.dot(mixed[:, 0], mixed[:, 0]))
        return mixed

    @property
    def sounds(self) -> bool:
        """Whether any channel has sound."""
        return bool(np.any(self._powers))

    @property
    def cancels(self) -> bool:
        """Whether `CANCELLED` of the power is left at most."""
        return self.sounds and self._mixed <= CANCELLED * float(np.mean(self._powers))

    @property
    def loudest(self) -> int:
        """Number of the loudest channel; the first of those within .01 dB of it."""
        # Sums of float32 differ in the last digits from one processor to another.
        return int(np.argmax(self._powers >= 0.998 * np.max(self._powers)))

    @property
    def lost_db(self) -> float:
        """By how much the mix is softer than the channels; infinity where nothing is left."""
        if not self._mixed:
            return math.inf if self.sounds else 0.0
        return 10 * math.log10(float(np.mean(self._powers)) / self._mixed)

    def told(self, *, alone: bool) -> str:
        """Say what is lost, and whether the loudest channel is taken instead."""
        left = f"the mix is {self.lost_db:.0f} dB softer" if self._mixed else "nothing is left"
        instead = "; the loudest is used alone" if alone else ""
        return f"its channels cancel when mixed ({left}){instead}"


def cancelling(pieces: Iterable[Samples]) -> int | None:
    """Return the loudest channel if the channels cancel from the beginning to the end.

    Parameters
    ----------
    pieces : iterable of arrays [shape=(frames, channels)]
    """
    balance = Balance()
    for piece in pieces:
        balance.mix(piece)
        if balance.sounds and not balance.cancels:
            return None
    return balance.loudest


def resampled_frames(frames: int, rate_from: int, rate_to: int) -> int:
    """Return the length after resampling: rounded up, so that no sound is lost."""
    return -(-frames * rate_to // rate_from)


def samples_bytes(channels: int, frames: int) -> int:
    """Return the memory that samples take."""
    return 4 * channels * frames


def frame_at(time_s: float, sample_rate: int) -> int:
    """Return the frame that sounds at a time, whatever floats make of 0.29 s at 100 Hz."""
    return int(time_s * sample_rate + 1e-6)


def span(
    frames: int, sample_rate: int, start_s: float, duration_s: float | None, *, name: str
) -> tuple[int, int]:
    """Return the first frame of an excerpt and the one behind its last, at least one apart.

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
