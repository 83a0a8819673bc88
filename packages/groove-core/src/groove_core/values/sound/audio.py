"""Sound in memory and on disk."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import math
import operator
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from groove_core.console import note
from groove_core.errors import UsageError
from groove_core.storage.files import atomic_path
from groove_core.values.base import Value
from groove_core.values.page import data_url
from groove_core.values.sound import loudness, soundfiles
from groove_core.values.sound.decoding import CHUNK_FRAMES
from groove_core.values.sound.embedding import audio_url, mp3
from groove_core.values.sound.samples import as_float32, fitted, frozen, is_frozen
from groove_core.values.sound.soundfiles import AudioInfo, Stretch

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Audio", "AudioInfo"]

PLAYER_S = 30.0
PLAYER_BYTES = 130_000
"""Of a sound in a notebook, which keeps what is shown in its file."""
MP3_RATES = (16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
"""Sample rates that MP3 files of any compression can have [Hz]."""
"""The most sound that a notebook embeds."""
EMBEDDED = 2**18
"""Samples that a result document holds beside sound files; those of a song would fill a disk."""
MOST_CHANNELS, FEWEST_FRAMES = 64, 32
"""More channels than the first, with no more frames than the second, are an array that lies the
other way."""


@dataclass(frozen=True, eq=False, repr=False)
class Audio(Value):
    """Sound.

    Parameters
    ----------
    samples : array [shape=(channels, frames), full scale is -1 to 1]
        One channel may be given as shape ``(frames,)``. Kept as float32: copied, unless it is
        a float32 array that nobody can write to (``flags.writeable`` is false all the way
        down). Integers of a sound file (uint8, int16, int32) are divided by their full
        scale, 128 (after taking 128 off), 32,768 or 2,147,483,648.
    sample_rate : int [Hz]
    name : str
        Where it came from, for messages; not saved and not compared.

    Raises
    ------
    UsageError
        If the samples have another shape or type, are not all finite, or are more than 64
        channels of at most 32 frames: an array of shape (frames, channels).

    Examples
    --------
    >>> tone = Audio(0.5 * np.sin(2 * np.pi * 440 * np.arange(44_100) / 44_100), 44_100)
    >>> tone
    Audio(1.00 s, 44100 Hz, mono, peak -6.0 dBFS)
    >>> tone.resampled(22_050).excerpt(0.25, 0.5).normalized(-1.0)
    Audio(0.50 s, 22050 Hz, mono, peak -1.0 dBFS)
    """

    kind: ClassVar[str] = "audio"
    suffixes: ClassVar[tuple[str, ...]] = (*soundfiles.SUFFIXES, "json")
    default_formats: ClassVar[tuple[str, ...]] = ("wav",)

    samples: npt.NDArray[np.float32]
    sample_rate: int
    name: str = ""

    if TYPE_CHECKING:  # whatever can be made into samples

        def __init__(self, samples: npt.ArrayLike, sample_rate: int, name: str = "") -> None: ...

    def __post_init__(self) -> None:
        samples = self.samples
        if not is_frozen(samples):
            samples = as_float32(samples)
            samples.flags.writeable = False
            turned = samples.ndim == 2 and samples.shape[1] <= FEWEST_FRAMES
            if turned and len(samples) > MOST_CHANNELS:
                raise UsageError(
                    f"Audio samples of shape {samples.shape} would be {len(samples)} channels.",
                    hint="Give them with shape (channels, frames): samples.T",
                )
        if samples.ndim == 1:
            samples = samples[None]
        if samples.ndim != 2 or not len(samples) or not soundfiles.all_finite(samples):
            raise UsageError(
                "Audio samples must be finite numbers of shape (channels, frames).",
                hint="Check the array for NaN and for its shape.",
            )
        try:
            sample_rate = operator.index(self.sample_rate)
        except TypeError:
            sample_rate = 0
        if sample_rate < 1:
            raise UsageError(
                f"sample_rate cannot be {self.sample_rate!r}.", hint="sample_rate=44100"
            )
        object.__setattr__(self, "samples", samples)
        object.__setattr__(self, "sample_rate", sample_rate)

    @classmethod
    def read(
        cls,
        path: str | Path,
        *,
        sample_rate: int | None = None,
        mono: bool = False,
        start_s: float = 0.0,
        duration_s: float | None = None,
    ) -> Self:
        """Read a sound file, or an excerpt of it; the content says how, not the ending.

        Everything that libsndfile decodes is read: wav, flac, ogg (Vorbis, Opus), mp3,
        aiff, au, caf, w64, rf64 and more, of 8 to 32 bits or floats, and any number of
        channels; ``.json`` as saved by Groove; and, where ffmpeg is installed, m4a, aac, wma
        and others. Files that were joined, and Ogg chains, are read to their end.

        Parameters
        ----------
        path : str or Path
        sample_rate : int [Hz]
            Resample to this rate (soxr, high quality, as `librosa.load`); the rate of the
            file when left out. The length is rounded up.
        mono : bool
            Give the mean of the channels. It is taken before resampling. Where they cancel
            from the start to the end, the loudest of them is given, and a note names the file.
        start_s, duration_s : float [s]
            Read an excerpt, which starts at the frame that sounds at `start_s`. What is
            before is skipped and what is behind never looked at. An excerpt that would reach
            beyond the end stops there; it holds one sample at least.

        Returns
        -------
        Audio
            A resampled excerpt has the samples of the resampled whole, but within 150
            samples of the lower rate from a cut, where the filter misses what was cut off.
            A file that breaks off early (a truncated wav or mp3) gives what it holds.

        Raises
        ------
        InputError
            If the file is missing, broken, without sound, of samples that are not numbers,
            ends before `start_s`, or would take more than 4 GiB of memory.
        UsageError
            If an option is out of its range.
        """
        options: dict[str, Any] = {"start_s": start_s, "duration_s": duration_s}
        if Path(path).suffix.lower() == ".json":
            audio = super().read(path)
            if start_s != 0 or duration_s is not None:
                audio = audio.excerpt(**options)
            audio = audio.to_mono() if mono else audio
            return audio if sample_rate is None else audio.resampled(sample_rate)
        stretch = Stretch(path, sample_rate=sample_rate, mono=mono, **options)
        return cls(stretch.whole(), stretch.sample_rate, str(path))

    @classmethod
    def blocks(
        cls,
        path: str | Path,
        *,
        block_s: float = 30.0,
        sample_rate: int | None = None,
        mono: bool = False,
        start_s: float = 0.0,
        duration_s: float | None = None,
    ) -> Generator[Self, None, None]:
        """Read a sound file of any length block by block, in the memory of one block.

        The blocks joined are exactly what `read` gives with the same options; resampling
        runs on from one to the next.

        Parameters
        ----------
        path : str or Path
        block_s : float [s]
            Length of a block; one sample at least. The last one may be shorter, none is empty.
        sample_rate, mono, start_s, duration_s
            See `read`.

        Yields
        ------
        Audio

        Raises
        ------
        InputError, UsageError
            As `read`: at the call what can be told without decoding, the rest on the way.
            Then, at the end, and when the iterator is closed, the file is closed.
        """
        if not 0 < block_s < math.inf:
            raise UsageError(f"block_s cannot be {block_s}.", hint="block_s=30")
        options: dict[str, Any] = {
            "sample_rate": sample_rate,
            "mono": mono,
            "start_s": start_s,
            "duration_s": duration_s,
        }
        if Path(path).suffix.lower() == ".json":
            whole = cls.read(path, **options)
            size = max(1, soundfiles.frame_at(block_s, whole.sample_rate))
            starts = range(0, whole.samples.shape[1], size)
            return (cls(whole.samples[:, at : at + size], whole.sample_rate) for at in starts)
        stretch = Stretch(path, **options)
        size = max(1, soundfiles.frame_at(block_s, stretch.sample_rate))
        size = min(stretch.frames or size, size)
        if soundfiles.samples_bytes(stretch.channels, size) > soundfiles.MAX_BYTES:
            raise UsageError(f"A block of {block_s:g} s would take over 4 GiB.", hint="block_s=30")
        return cls._of_blocks(stretch, size)

    @classmethod
    def _of_blocks(cls, stretch: Stretch, size: int) -> Generator[Self, None, None]:
        with contextlib.closing(stretch.blocks(size)) as blocks:
            for block in blocks:
                yield cls(block, stretch.sample_rate)

    @classmethod
    def info(cls, path: str | Path) -> AudioInfo:
        """Look at the header of a sound file, without decoding it.

        Where the header does not say how long the sound is, frames are counted (mp3, ogg), or
        it is decoded (flac of a stream, what ffmpeg reads).

        Raises
        ------
        InputError
            If the file is missing, not a sound file, or without sound.
        """
        return AudioInfo.read(path)

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return float(self.samples.shape[1] / self.sample_rate)

    @property
    def peak(self) -> float:
        """Largest absolute sample; 0 for silence."""
        return float(max(self.samples.max(initial=0.0), -self.samples.min(initial=0.0)))

    @property
    def loudness_lufs(self) -> float:
        """Integrated loudness after ITU-R BS.1770-4, measured by pyloudnorm.

        ``-inf`` for silence and what is softer than the gate of -70 LUFS. Sound shorter
        than a gating block of 0.4 s is measured as if repeated until it fills one. Of 3 to 5
        channels, the fourth and fifth count as surround (1.5 dB more); of more than 5, the
        mean is measured.

        Raises
        ------
        UsageError
            If pyloudnorm is not installed.
        """
        audio = self.to_mono() if len(self.samples) > 5 else self
        if audio.sample_rate < loudness.LOWEST_RATE:
            audio = audio.resampled(48_000)
        return loudness.integrated_lufs(audio.samples, audio.sample_rate)

    def to_mono(self) -> Self:
        """Return the mean of the channels, or the loudest where they cancel, as `read` does."""
        if len(self.samples) == 1:
            return self
        balance = soundfiles.Balance()
        mixed = balance.mix(self.samples.T)
        if not balance.cancels:
            return type(self)(frozen(mixed).T, self.sample_rate)
        starts = range(0, self.samples.shape[1], CHUNK_FRAMES)
        pieces = (self.samples[:, at : at + CHUNK_FRAMES].T for at in starts)
        channel = soundfiles.cancelling(pieces)
        note(f"warning: {self.name or 'the sound'}: {balance.told(alone=channel is not None)}")
        alone = mixed.T if channel is None else self.samples[channel][None]
        return type(self)(frozen(alone), self.sample_rate)

    def resampled(self, sample_rate: int) -> Self:
        """Resample (soxr, high quality); the length is rounded up to a whole sample.

        Raises
        ------
        UsageError
            If the rate is out of range, or the result would take more than 4 GiB.
        """
        sample_rate = soundfiles.check_resampling(sample_rate)
        channels, frames = self.samples.shape
        length = soundfiles.resampled_frames(frames, self.sample_rate, sample_rate)
        if soundfiles.samples_bytes(channels, length) > soundfiles.MAX_BYTES:
            raise UsageError(
                f"{self.duration_s:.0f} s at {sample_rate} Hz would take more than 4 GiB.",
                hint="Resample an excerpt.",
            )
        if sample_rate == self.sample_rate:
            return self
        import soxr

        made = self.samples
        if frames:
            made = soxr.resample(self.samples.T, self.sample_rate, sample_rate).T
        return type(self)(frozen(fitted(made, length)), sample_rate)

    def fitted(self, duration_s: float) -> Self:
        """Cut the sound to a length, or pad it with silence behind."""
        frames = soundfiles.frame_at(duration_s, self.sample_rate)
        return type(self)(frozen(fitted(self.samples, frames)), self.sample_rate)

    @classmethod
    def join(cls, sounds: Sequence[Audio], *, pause_s: float = 0.0) -> Self:
        """Put sounds one after the other, with silence between them.

        Parameters
        ----------
        sounds : sequence of Audio
            Of one sample rate and one number of channels.
        pause_s : float [s]

        Raises
        ------
        UsageError
            If there is none, or they differ.
        """
        if len({(one.sample_rate, len(one.samples)) for one in sounds}) != 1:
            raise UsageError(
                "Only sounds of one sample rate and number of channels can be joined.",
                hint="Call resampled() and to_mono() first.",
            )
        first = sounds[0]
        pause = np.zeros((len(first.samples), int(pause_s * first.sample_rate)), np.float32)
        parts = [part for one in sounds for part in (pause, one.samples)]
        return cls(frozen(np.concatenate(parts[1:], axis=1)), first.sample_rate)

    def excerpt(self, start_s: float = 0.0, duration_s: float | None = None) -> Self:
        """Cut out an excerpt, as `read` does; it shares the memory of the whole.

        Raises
        ------
        InputError
            If the sound ends before `start_s`.
        UsageError
            If an option is out of its range.
        """
        soundfiles.check_seconds(start_s, duration_s)
        start, stop = soundfiles.span(
            self.samples.shape[1], self.sample_rate, start_s, duration_s, name="The sound"
        )
        return type(self)(self.samples[:, start:stop], self.sample_rate)

    def normalized(self, peak_dbfs: float = -1.0) -> Self:
        """Scale so that the largest sample has the given level; silence stays silence.

        Raises
        ------
        UsageError
            If the level is more than 0, full scale.
        """
        _check_peak(peak_dbfs)
        if self.peak == 0:
            return self
        # Divided first: the largest becomes 1 exactly, however small it was.
        samples = self.samples / np.float32(self.peak)
        samples *= np.float32(10 ** (peak_dbfs / 20))
        return type(self)(frozen(samples), self.sample_rate)

    def loudness_normalized(self, lufs: float = -14.0, *, peak_dbfs: float = -1.0) -> Self:
        """Scale to a loudness, without ever clipping.

        Parameters
        ----------
        lufs : float [LUFS]
            What is wanted: -14 is what streaming services play at, -23 what broadcast
            does (EBU R 128).
        peak_dbfs : float [dBFS]
            Ceiling of the largest sample. Where it is met first the result stays softer
            than `lufs`: there is no limiter.

        Returns
        -------
        Audio
            Sound too soft to have a loudness (see `loudness_lufs`) is left as it is.

        Raises
        ------
        UsageError
            If an option is out of its range, or pyloudnorm is not installed.
        """
        _check_peak(peak_dbfs)
        if not math.isfinite(lufs):
            raise UsageError(f"lufs cannot be {lufs}.", hint="lufs=-14")
        heard = self.loudness_lufs
        if heard == -math.inf:
            return self
        return self.normalized(min(peak_dbfs, 20 * math.log10(self.peak) + lufs - heard))

    def save(self, path: str | Path, *, bits: int = 16) -> Path:
        """Write the sound to a file; the ending chooses the format.

        Parameters
        ----------
        path : str or Path
        bits : int
            Of a sample: 16 or 24 in ``wav`` and ``flac``, or 32 in ``wav``, which are floats
            and hold the samples exactly, those above full scale included.

        Raises
        ------
        UsageError
            If a sound cannot be written so, or the folder cannot be written.
        """
        suffix = Path(path).suffix.lower().lstrip(".")
        if bits == 16:
            return super().save(path)
        if suffix not in soundfiles.WRITERS:
            raise UsageError(f".{suffix} has no bits to choose.", hint="Leave bits out.")
        with atomic_path(path) as temporary:
            soundfiles.write(temporary, suffix, self.samples, self.sample_rate, bits=bits)
        return Path(path)

    def _save_wav(self, path: Path) -> None:
        soundfiles.write(path, "wav", self.samples, self.sample_rate)

    def _save_flac(self, path: Path) -> None:
        soundfiles.write(path, "flac", self.samples, self.sample_rate)

    def _save_ogg(self, path: Path) -> None:
        soundfiles.write(path, "ogg", self.samples, self.sample_rate)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self.sample_rate == other.sample_rate and np.array_equal(self.samples, other.samples)

    __hash__ = None

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "sample_rate": self.sample_rate,
            "channels": self.samples.shape[0],
            "float32": base64.b64encode(self.samples.astype("<f4").tobytes()).decode(),
        }

    def to_document(self) -> dict[str, Any]:
        """Return the samples, or of more than `EMBEDDED` only what tells them from others."""
        if self.samples.size <= EMBEDDED:
            return self.to_json()
        return {
            "kind": self.kind,
            "sample_rate": self.sample_rate,
            "channels": self.samples.shape[0],
            "frames": self.samples.shape[1],
            "sha256": hashlib.sha256(self.samples.astype("<f4").tobytes()).hexdigest(),
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        data = np.frombuffer(base64.b64decode(document["float32"], validate=True), dtype="<f4")
        return cls(data.reshape(document["channels"], -1), document["sample_rate"])

    def to_text(self) -> str:
        channels = {1: "mono", 2: "stereo"}.get(len(self.samples), f"{len(self.samples)} channels")
        level = f"peak {20 * np.log10(self.peak):.1f} dBFS" if self.peak else "silent"
        return f"{self.duration_s:.2f} s, {self.sample_rate} Hz, {channels}, {level}"

    def __repr__(self) -> str:
        return f"Audio({self.to_text()})"

    def _repr_html_(self) -> str:
        player = self if len(self.samples) <= 2 else self.to_mono()
        note = "" if player is self else "<br>The mean of all channels."
        if self.duration_s > PLAYER_S:
            player = player.excerpt(duration_s=PLAYER_S)
            note += f"<br>The first {PLAYER_S:.0f} s of {self.duration_s:.0f} s."
        return f'<audio controls src="{_player_url(player)}"></audio>{note}'

    def plot(self, ax: Axes | None = None) -> Axes:
        from groove_core.values.plots import INK, envelope, new_axes

        ax = ax or new_axes(9, 2.5)
        mono = self.samples.mean(axis=0) if self.samples.size else np.zeros(1, np.float32)
        starts, low, high = envelope(mono, 2000)
        ax.fill_between(starts / self.sample_rate, low, high, color=INK, linewidth=0.3)
        ax.set(xlabel="seconds", ylabel="amplitude", ylim=(-1.05, 1.05))
        return ax


def _player_url(audio: Audio) -> str:
    """Return an address that holds a sound for a notebook: as good as fits into `PLAYER_BYTES`.

    A short sound stays as it is. A long one becomes an MP3 file, of one channel and 22,050 Hz if
    need be.
    """
    if audio.samples.size * 2 <= PLAYER_BYTES:
        return audio_url(audio.samples, audio.sample_rate)
    known = audio if audio.sample_rate in MP3_RATES else audio.resampled(22_050)
    for player, compression in ((known, 0.5), (known, 0.9), (known.to_mono(), 0.7)):
        content = mp3(player.samples, player.sample_rate, compression=compression, variable=True)
        if len(content) <= PLAYER_BYTES:
            return data_url("audio/mpeg", content)
    small = audio.to_mono().resampled(22_050)
    return audio_url(small.samples, small.sample_rate, small=True)


def _check_peak(peak_dbfs: float) -> None:
    if not -math.inf < peak_dbfs <= 0:
        raise UsageError(f"peak_dbfs cannot be {peak_dbfs}.", hint="peak_dbfs=-1")
