"""Kits: notes of one instrument for samplers, as SFZ."""

from __future__ import annotations

import base64
import io
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise, product
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from groove_core.errors import InputError, UsageError
from groove_core.storage import check_file, check_writable, member, write_text, writing
from groove_core.values import Audio, Value

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Kit", "KitNote"]

MAX_SAMPLE = 2**26
"""Bytes of one note: a minute of it has a tenth."""
MAX_NOTES = 1024
RELEASE_S = 0.3
"""From the release of a key to silence."""
BEYOND = 5
"""Semitones that the notes at the ends serve beyond themselves."""
HEARD_S = 2.0
"""Of each note, in a sound of all."""
_REGION = re.compile(r"<region> sample=(.+?)((?: \w+=[\w.-]+)+)")
_SAMPLE = re.compile(r"\d{3}(-\d{3})?\.wav")

Samples = npt.NDArray[np.int16]


class KitNote(NamedTuple):
    """A note that a sampler plays.

    Parameters
    ----------
    pitch : int [MIDI]
    samples : array [shape=(n,)]
        16-bit integers, or floats with full scale from -1 to 1, which are rounded to such.
    velocity : int [1 to 127]
        The hardest stroke that it serves; softer layers of the same pitch come before.
    loop : (start, end), optional [samples]
        What is repeated while the key is held; `end` is the first sample behind it.
    tune : float [cents]
        What brings it in tune.
    """

    pitch: int
    samples: npt.NDArray[Any]
    velocity: int = 127
    loop: tuple[int, int] | None = None
    tune: float = 0.0

    @property
    def file(self) -> str:
        """Name of its WAV file."""
        return f"{self.pitch:03d}-{self.velocity:03d}.wav"


@dataclass(frozen=True, eq=False, repr=False)
class Kit(Value):
    """Notes of one instrument, which a sampler spreads over all keys.

    Saved as ``NAME.sfz``, the map of keys, with the notes as WAV files in a folder ``NAME samples``
    beside it. Samplers that read SFZ play it, for example sfizz and sforzando.

    Parameters
    ----------
    notes : sequence of KitNote
        Or of tuples of its first items. Pitches ascend, and velocities of one pitch, to 127.
    sample_rate : int [Hz]
    name : str

    Raises
    ------
    UsageError
        If pitches or velocities do not ascend, the last layer of a pitch is not for 127, a loop is
        not within its note, or samples are empty or not finite.
    """

    kind: ClassVar[str] = "kit"
    suffixes: ClassVar[tuple[str, ...]] = ("sfz", "json")
    default_formats: ClassVar[tuple[str, ...]] = ("sfz", "wav")

    notes: tuple[KitNote, ...]
    sample_rate: int
    name: str = "kit"

    def __post_init__(self) -> None:
        notes = tuple(_checked(KitNote(*one)) for one in self.notes)
        places = [(one.pitch, one.velocity) for one in notes]
        hardest = [velocity for _, velocity in dict(places).items()]
        known = {*places} & {*product(range(128), range(1, 128))}
        if not places or places != sorted(known) or {*hardest} != {127}:
            raise UsageError(
                "The pitches of a kit must ascend from 0 to 127 at most, and the velocities of "
                f"each to 127, not be {places}.",
                hint="notes=((48, soft, 79), (48, hard), (60, high))",
            )
        object.__setattr__(self, "notes", notes)
        object.__setattr__(self, "name", " ".join(self.name.split()))

    def keys(self) -> dict[int, tuple[int, int]]:
        """Return the lowest and the highest key that each pitch serves, which is near to it."""
        pitches = [*dict.fromkeys(one.pitch for one in self.notes)]
        last = [(low + high) // 2 for low, high in pairwise(pitches)]
        lowest, highest = max(pitches[0] - BEYOND, 0), min(pitches[-1] + BEYOND, 127)
        spans = zip([lowest, *(key + 1 for key in last)], [*last, highest], strict=True)
        return dict(zip(pitches, spans, strict=True))

    def audio(self) -> Audio:
        """Return the beginnings of the hardest notes in a row."""
        count = round(HEARD_S * self.sample_rate)
        row = []
        for one in self.hardest():
            heard = one.samples[:count].astype(np.float32) / 32768
            fade = min(count // 20, len(heard)) if len(one.samples) > count else 0
            heard[len(heard) - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
            row.append(heard)
        return Audio(np.concatenate(row), self.sample_rate, self.name)

    def hardest(self) -> list[KitNote]:
        """Return the hardest layer of each pitch."""
        return [one for one in self.notes if one.velocity == 127]

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
        lines = [
            f"// {self.name}",
            "<control> hint_ram_based=1",  # a few MB: nothing is missing when a key comes early
            f"<global> loop_mode=no_loop ampeg_release={RELEASE_S} amp_veltrack=100",
            *self._regions(folder.name),
        ]
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
            for one in self.notes:
                (fresh / one.file).write_bytes(_packed(one.samples, self.sample_rate, "WAV"))
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

    def _regions(self, folder: str) -> Iterator[str]:
        keys, before = self.keys(), {one.pitch: 0 for one in self.notes}
        for one in self.notes:
            (low, high), softest = keys[one.pitch], before[one.pitch] + 1
            before[one.pitch] = one.velocity
            line = (
                f"<region> sample={folder}/{one.file} lokey={low} hikey={high} "
                f"pitch_keycenter={one.pitch} lovel={softest} hivel={one.velocity}"
            )
            if one.tune:
                line += f" tune={one.tune:.1f}"
            if one.loop:
                start, end = one.loop
                line += f" loop_mode=loop_continuous loop_start={start} loop_end={end - 1}"
            yield line

    @classmethod
    def _read_file(cls, path: Path) -> Self:
        if path.suffix.lower() != ".sfz":
            return super()._read_file(path)
        check_file(path, what="an SFZ file", max_bytes=2**20)
        name, *lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        regions = [found for line in lines if (found := _REGION.fullmatch(line))]
        if len(regions) > MAX_NOTES:
            raise InputError(
                f"{path} has {len(regions)} regions, more than {MAX_NOTES}.",
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
                _told(dict(pair.split("=") for pair in found[2].split()), samples)
                for found, (samples, _) in zip(regions, read, strict=True)
            )
            return cls(notes, rate, name.removeprefix("// "))
        except (KeyError, ValueError, UsageError) as error:
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
            "notes": [
                {
                    "pitch": one.pitch,
                    "velocity": one.velocity,
                    "loop": one.loop,
                    "tune": one.tune,
                    "flac": packed(one.samples),
                }
                for one in self.notes
            ],
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        def unpacked(text: str) -> Samples:
            return _unpacked(base64.b64decode(text, validate=True))[0]

        notes = tuple(
            KitNote(
                one["pitch"],
                unpacked(one["flac"]),
                one.get("velocity", 127),  # kits of before had one layer
                one.get("loop"),
                one.get("tune", 0.0),
            )
            for one in document["notes"]
        )
        return cls(notes, document["sample_rate"], document["name"])

    # showing ---------------------------------------------------------------------

    def to_text(self) -> str:
        from gansynth_lite.pitch import note_name

        names = " ".join(note_name(one.pitch) for one in self.hardest())
        held = ", held while a key is down" if any(one.loop for one in self.notes) else ""
        return f"{self.name}: {len(self.notes)} notes at {self.sample_rate} Hz{held}: {names}"

    def _repr_html_(self) -> str:
        return self.audio()._repr_html_()

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the waveform of each note at its pitch."""
        from groove_core.values import PALETTE, envelope, new_axes

        ax = ax or new_axes(9, 5)
        notes = self.hardest()
        loudest = max(float(np.abs(one.samples / 32768).max()) for one in notes) or 1.0
        apart = min(np.diff([one.pitch for one in notes]), default=12)
        height = 0.48 * apart / loudest / 32768
        for one in notes:
            edges, low, high = envelope(one.samples, 600)
            ax.fill_between(
                edges / self.sample_rate, one.pitch + height * low, one.pitch + height * high,
                color=PALETTE[0], lw=0.3,
            )  # fmt: skip
            if one.loop:
                start, end = (at / self.sample_rate for at in one.loop)
                ax.plot([start, end], [one.pitch] * 2, color=PALETTE[1], lw=0.8)
        ax.set(xlabel="seconds", ylabel="MIDI pitch")
        ax.set_title(self.to_text(), fontsize=9, loc="left", wrap=True)
        return ax


def _told(opcodes: Mapping[str, str], samples: Samples) -> KitNote:
    """Return a note as a region of an SFZ file tells of it."""
    loop = None
    if "loop_start" in opcodes:
        loop = int(opcodes["loop_start"]), int(opcodes["loop_end"]) + 1
    return KitNote(
        int(opcodes["pitch_keycenter"]),
        samples,
        int(opcodes.get("hivel", 127)),
        loop,
        float(opcodes.get("tune", 0)),
    )


def _checked(one: KitNote) -> KitNote:
    samples, loop = _rounded(one.samples), one.loop and (int(one.loop[0]), int(one.loop[1]))
    if loop and not 0 <= loop[0] < loop[1] <= len(samples):
        raise UsageError(
            f"A loop from {loop[0]} to {loop[1]} is not within {len(samples)} samples.",
            hint="loop=(start, end), where end is the first sample behind it",
        )
    return KitNote(int(one.pitch), samples, int(one.velocity), loop, round(float(one.tune), 1))


def _rounded(samples: Any) -> Samples:
    """Return samples as 16-bit integers that nobody can write to."""
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
