"""Sound in memory and on disk."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from groove_core.errors import InputError, UsageError
from groove_core.files import check_file
from groove_core.values.base import Value

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Audio"]


@dataclass(frozen=True, eq=False, repr=False)
class Audio(Value):
    """Sound.

    Parameters
    ----------
    samples : float32 array [shape=(channels, frames), full scale is -1 to 1]
        One channel may be given as shape ``(frames,)``.
    sample_rate : int [Hz]

    Raises
    ------
    UsageError
        If the samples have another shape or are not all finite.
    """

    kind: ClassVar[str] = "audio"
    suffixes: ClassVar[tuple[str, ...]] = (
        "wav", "flac", "ogg", "mp3", "aiff", "aif", "au", "json",
    )  # fmt: skip
    default_formats: ClassVar[tuple[str, ...]] = ("wav",)

    samples: npt.NDArray[np.float32]
    sample_rate: int

    def __post_init__(self) -> None:
        samples = np.array(self.samples, dtype=np.float32)
        if samples.ndim == 1:
            samples = samples[None]
        if samples.ndim != 2 or not np.isfinite(samples).all():
            raise UsageError(
                "Audio samples must be finite numbers of shape (channels, frames).",
                hint="Check the array for NaN and for its shape.",
            )
        if self.sample_rate < 1:
            raise UsageError(f"sample_rate cannot be {self.sample_rate}.", hint="sample_rate=44100")
        samples.flags.writeable = False
        object.__setattr__(self, "samples", samples)

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return float(self.samples.shape[1] / self.sample_rate)

    @property
    def peak(self) -> float:
        """Largest absolute sample; 0 for silence."""
        return float(np.abs(self.samples).max(initial=0.0))

    def normalized(self, peak_dbfs: float = -1.0) -> Audio:
        """Scale so that the largest sample has the given level; silence stays silence."""
        if self.peak == 0:
            return self
        gain = np.float32(10 ** (peak_dbfs / 20) / self.peak)
        return Audio(self.samples * gain, self.sample_rate)

    @classmethod
    def _read_file(cls, path: Path) -> Self:
        import soundfile

        check_file(path, what="an audio file")
        try:
            samples, sample_rate = soundfile.read(path, dtype="float32", always_2d=True)
        except (soundfile.LibsndfileError, RuntimeError) as error:
            raise InputError(
                f"{path} is not an audio file that can be read: {error}.",
                hint="Give a wav, flac, ogg, mp3 or aiff file.",
            ) from error
        if not len(samples):
            raise InputError(f"{path} holds no sound.", hint="Give a file with sound in it.")
        if not np.isfinite(samples).all():
            raise InputError(
                f"{path} holds samples that are not numbers (NaN).", hint="Export the file again."
            )
        return cls(samples.T, sample_rate)

    def _write(self, path: Path, container: str, subtype: str) -> None:
        import soundfile

        # Full-scale clipping instead of libsndfile's wrap-around.
        samples = np.clip(self.samples.T, -1.0, 1.0)
        soundfile.write(path, samples, self.sample_rate, format=container, subtype=subtype)

    def _save_wav(self, path: Path) -> None:
        self._write(path, "WAV", "PCM_16")

    def _save_flac(self, path: Path) -> None:
        self._write(path, "FLAC", "PCM_16")

    def _save_ogg(self, path: Path) -> None:
        self._write(path, "OGG", "VORBIS")

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "sample_rate": self.sample_rate,
            "channels": self.samples.shape[0],
            "float32": base64.b64encode(self.samples.astype("<f4").tobytes()).decode(),
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
        import soundfile

        buffer = io.BytesIO()
        soundfile.write(buffer, self.samples.T, self.sample_rate, format="WAV", subtype="PCM_16")
        data = base64.b64encode(buffer.getvalue()).decode()
        return f'<audio controls src="data:audio/wav;base64,{data}"></audio>'

    def plot(self, ax: Axes | None = None) -> Axes:
        from groove_core.plots import INK, new_axes

        ax = ax or new_axes(9, 2.5)
        mono = self.samples.mean(axis=0) if self.samples.size else np.zeros(1, np.float32)
        # Minimum and maximum of each of at most 2,000 stretches: an honest envelope.
        bins = max(1, min(2000, mono.size))
        edges = np.linspace(0, mono.size, bins, endpoint=False).astype(int)
        low, high = np.minimum.reduceat(mono, edges), np.maximum.reduceat(mono, edges)
        ax.fill_between(edges / self.sample_rate, low, high, color=INK, linewidth=0.3)
        ax.set(xlabel="seconds", ylabel="amplitude", ylim=(-1.05, 1.05))
        return ax
