"""Kits: notes of one instrument for samplers, as SFZ."""

from __future__ import annotations

import base64
import io
import re
import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from groove_core.errors import InputError, UsageError
from groove_core.storage import check_file, check_writable, member, write_text, writing
from groove_core.values import Audio, Value

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Kit"]

MAX_SAMPLE = 2**26
"""Bytes of one note: a minute of it has a tenth."""
RELEASE_S = 0.3
"""From the release of a key to silence."""
_REGION = re.compile(r"<region> sample=(.+) lokey=\d+ hikey=\d+ pitch_keycenter=(\d+)")
_SAMPLE = re.compile(r"\d{3}\.wav")

Samples = npt.NDArray[np.int16]


@dataclass(frozen=True, eq=False, repr=False)
class Kit(Value):
    """Notes of one instrument, which a sampler spreads over all keys.

    Saved as ``NAME.sfz``, the map of keys, with the notes as WAV files in a folder ``NAME samples``
    beside it. Samplers that read SFZ play it, for example sfizz and sforzando.

    Parameters
    ----------
    notes : sequence of (pitch, samples)
        MIDI pitches ascend. Samples [shape=(n,)] are 16-bit integers, or floats with full scale
        from -1 to 1, which are rounded to such.
    sample_rate : int [Hz]
    name : str

    Raises
    ------
    UsageError
        If pitches do not ascend or are not 0 to 127, or samples are empty or not finite.
    """

    kind: ClassVar[str] = "kit"
    suffixes: ClassVar[tuple[str, ...]] = ("sfz", "json")
    default_formats: ClassVar[tuple[str, ...]] = ("sfz", "wav")

    notes: tuple[tuple[int, Samples], ...]
    sample_rate: int
    name: str = "kit"

    def __post_init__(self) -> None:
        notes = tuple((int(pitch), _rounded(samples)) for pitch, samples in self.notes)
        pitches = [pitch for pitch, _ in notes]
        if not pitches or pitches != sorted({*pitches} & {*range(128)}):
            raise UsageError(
                f"The pitches of a kit must ascend from 0 to 127 at most, not be {pitches}.",
                hint="notes=((48, low), (60, high))",
            )
        object.__setattr__(self, "notes", notes)
        object.__setattr__(self, "name", " ".join(self.name.split()))

    def keys(self) -> list[tuple[int, int]]:
        """Give the lowest and the highest key of each note, which is near to all between."""
        last = [(low + high) // 2 for (low, _), (high, _) in pairwise(self.notes)]
        return list(zip([0, *(key + 1 for key in last)], [*last, 127], strict=True))

    def audio(self) -> Audio:
        """Give all notes in a row."""
        row = np.concatenate([samples for _, samples in self.notes]).astype(np.float32)
        row *= np.float32(1 / 32768)
        return Audio(row, self.sample_rate, self.name)

    # reading and writing ---------------------------------------------------------

    def save(self, path: str | Path) -> Path:
        if Path(path).suffix.lower() != ".sfz":
            return super().save(path)
        # Samples are named after the map: it cannot be written under a temporary name.
        self._save_sfz(Path(path))
        return Path(path)

    def _save_sfz(self, path: Path) -> None:
        # In SFZ these begin an opcode, a header or a variable, wherever they are.
        safe = re.sub(r"[=<>$#%/\\]|[^ -\U0010ffff]", lambda one: f"%{ord(one[0]):02X}", path.stem)
        folder = path.with_name(f"{safe} samples")
        files = [f"{pitch:03d}.wav" for pitch, _ in self.notes]
        lines = [
            f"// {self.name}",
            f"<global> loop_mode=no_loop ampeg_release={RELEASE_S} amp_veltrack=100",
        ]
        for (pitch, _), file, (low, high) in zip(self.notes, files, self.keys(), strict=True):
            sample = f"{folder.name}/{file}"
            lines.append(
                f"<region> sample={sample} lokey={low} hikey={high} pitch_keycenter={pitch}"
            )
        check_writable(path.parent)
        path.parent.mkdir(parents=True, exist_ok=True)
        if folder.exists() and not all(_SAMPLE.fullmatch(one.name) for one in folder.iterdir()):
            raise UsageError(
                f"{folder} holds more than the samples of a kit.", hint="Choose another --out."
            )
        with (
            writing(path, path.parent),
            tempfile.TemporaryDirectory(dir=path.parent, prefix=".kit-") as scratch,
        ):
            fresh, former = Path(scratch, "fresh"), Path(scratch, "former")
            fresh.mkdir()
            for file, (_, samples) in zip(files, self.notes, strict=True):
                (fresh / file).write_bytes(_packed(samples, self.sample_rate, "WAV"))
            if folder.exists():
                folder.rename(former)
            try:
                fresh.rename(folder)
                write_text(path, "\n".join(lines) + "\n")  # whoever finds it finds the samples
            except BaseException:
                if folder.exists():
                    folder.rename(fresh)
                if former.exists():
                    former.rename(folder)
                raise

    @classmethod
    def _read_file(cls, path: Path) -> Self:
        if path.suffix.lower() != ".sfz":
            return super()._read_file(path)
        check_file(path, what="an SFZ file", max_bytes=2**20)
        name, *lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        regions = [found for line in lines if (found := _REGION.fullmatch(line))]
        if len(regions) > 128:
            raise InputError(
                f"{path} has {len(regions)} regions, more than there are keys.",
                hint="Give an .sfz file that Groove has written.",
            )
        files = [
            check_file(member(path.parent, found[1]), what="a WAV file", max_bytes=MAX_SAMPLE)
            for found in regions
        ]
        try:
            read = [_unpacked(file.read_bytes()) for file in files]
            [rate] = {rate for _, rate in read}
            notes = tuple(
                (int(found[2]), samples) for found, (samples, _) in zip(regions, read, strict=True)
            )
            return cls(notes, rate, name.removeprefix("// "))
        except (ValueError, UsageError) as error:
            raise InputError(
                f"{path} is not a kit: {error}.", hint="Give an .sfz file that Groove has written."
            ) from error

    def _save_wav(self, path: Path) -> None:
        self.audio().save(path)

    def to_json(self) -> dict[str, Any]:
        def packed(samples: Samples) -> str:
            return base64.b64encode(_packed(samples, self.sample_rate, "FLAC")).decode()

        return {
            "kind": self.kind,
            "name": self.name,
            "sample_rate": self.sample_rate,
            "notes": [{"pitch": pitch, "flac": packed(samples)} for pitch, samples in self.notes],
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        def unpacked(text: str) -> Samples:
            return _unpacked(base64.b64decode(text, validate=True))[0]

        notes = tuple((note["pitch"], unpacked(note["flac"])) for note in document["notes"])
        return cls(notes, document["sample_rate"], document["name"])

    # showing ---------------------------------------------------------------------

    def to_text(self) -> str:
        from gansynth_lite.pitch import note_name

        names = " ".join(note_name(pitch) for pitch, _ in self.notes)
        return f"{self.name}: {len(self.notes)} notes at {self.sample_rate} Hz: {names}"

    def _repr_html_(self) -> str:
        return self.audio()._repr_html_()

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the waveform of each note at its pitch."""
        from groove_core.values import PALETTE, envelope, new_axes

        ax = ax or new_axes(9, 5)
        pitches = [pitch for pitch, _ in self.notes]
        loudest = max(float(np.abs(samples / 32768).max()) for _, samples in self.notes) or 1.0
        height = 0.48 * min(np.diff(pitches), default=12) / loudest / 32768
        for pitch, samples in self.notes:
            edges, low, high = envelope(samples, 600)
            ax.fill_between(
                edges / self.sample_rate, pitch + height * low, pitch + height * high,
                color=PALETTE[0], lw=0.3,
            )  # fmt: skip
        ax.set(xlabel="seconds", ylabel="MIDI pitch")
        ax.set_title(self.to_text(), fontsize=9, loc="left", wrap=True)
        return ax


def _rounded(samples: Any) -> Samples:
    """Give samples as 16-bit integers that nobody can write to."""
    samples = np.array(samples)
    if samples.ndim != 1 or not samples.size or not np.isfinite(samples).all():
        raise UsageError(
            "Samples of a note must be finite numbers of shape (n,).",
            hint="Check the array for NaN and for its shape.",
        )
    if samples.dtype != np.int16:
        samples = np.round(samples.clip(-1, 1) * 32767).astype(np.int16)
    samples.flags.writeable = False
    rounded: Samples = samples
    return rounded


def _packed(samples: Samples, sample_rate: int, container: str) -> bytes:
    import soundfile

    out = io.BytesIO()
    soundfile.write(out, samples, sample_rate, subtype="PCM_16", format=container)
    return out.getvalue()


def _unpacked(content: bytes) -> tuple[Samples, int]:
    import soundfile

    try:
        samples, sample_rate = soundfile.read(io.BytesIO(content), dtype="int16")
    except RuntimeError as error:
        raise ValueError(str(error)) from error
    return samples, sample_rate
