"""Options that several actions share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from gansynth_lite.encoded import Instruments
from groove_core.actions import Opt, Readable, checkpoint_of
from groove_core.storage import checkpoints
from groove_core.values import Audio, Codes

__all__ = [
    "About", "BatchSize", "Beside", "Checkpoint", "ClassifierNetwork", "DrawnFamilies", "Family",
    "Instrument", "Judge", "LearningRate", "NotesPath", "Pitch", "Precision", "Refine", "Second",
    "Subset", "TrackFamilies", "TrackInstruments", "Width", "families",
]  # fmt: skip

_JUDGES = ("gansynth_lite.classifier:NoteClassifier",)
_GENERATORS = ("gansynth_lite.model:GANSynth", "gansynth_lite.progressive:ProgressiveGAN")
Checkpoint = Annotated[str | None, checkpoint_of(*_GENERATORS)]
Instrument = Annotated[
    Readable[Audio | Instruments | Codes] | None,
    Opt("sound of one note, or an instrument that encode wrote (.json) (default: a drawn one)"),
]
_FAMILIES = "gansynth_lite.options:families"
Family = Annotated[
    str | None,
    Opt(
        "family of instruments: bass, brass, flute, guitar, keyboard, mallet ... (default: any)",
        names=_FAMILIES,
    ),
]
TrackFamilies = Annotated[
    str | None,
    Opt(
        "families of the tracks in turn, such as flute,string (default: by their programs)",
        names=_FAMILIES,
    ),
]
TrackInstruments = Annotated[
    str | None,
    Opt(
        "instruments of some tracks, such as 1=mine/encode.json,2=string: number or name of the "
        "track, and a file or a family (default: drawn ones)"
    ),
]
DrawnFamilies = Annotated[
    str | None,
    Opt("families of the drawn instruments, such as brass,flute (default: any)", names=_FAMILIES),
]
Pitch = Annotated[
    str | None,
    Opt("pitch: a name such as F#3, or a MIDI number such as 60.5 (default: C4, if it is played)"),
]
Refine = Annotated[
    int, Opt("rounds of Griffin-Lim that refine the phases of each note", min=0, max=128)
]
NotesPath = Annotated[
    Readable[Path],
    Opt("soundfont (.sf2), NSynth, or a folder of single notes with pitches in their names"),
]
Subset = Annotated[
    Literal["acoustic", "electronic", "synthetic", "all"], Opt("part of NSynth's instruments")
]
Judge = Annotated[
    str | None,
    Opt("checkpoint of the classifier that judges (default: the packaged one)", fits=_JUDGES),
]
Second = Annotated[
    str | None,
    Opt(
        "checkpoint of a second judge, such as one of another network (default: none)",
        fits=_JUDGES,
    ),
]
Precision = Annotated[
    Literal["32", "bf16"],
    Opt("precision of the computation; bf16 is faster on processors that support it"),
]
About = Annotated[
    Literal["notes", "focus", "instruments", "representation"],
    Opt(
        "subject: realism of notes, how near drawn instruments are to known ones (on "
        "validation notes), codes as instruments, or the loss of a spectrogram"
    ),
]
BatchSize = Annotated[
    int | None, Opt("notes in a batch (default: 16 for ours, 8 for paper)", min=4, max=4096)
]
Width = Annotated[
    int | None,
    Opt("feature maps at the finest level (default: 8 for small, 16 for full)", min=2, max=256),
]
LearningRate = Annotated[
    float | None,
    Opt("learning rate of Adam (default: 0.002 for ours, 0.0008 for paper)", min=1e-6, max=0.1),
]
ClassifierNetwork = Annotated[
    Literal["harmonic", "mel"],
    Opt("network: one that knows where harmonics lie, or one that hears mel bands in time"),
]
Beside = Annotated[
    str | None,
    Opt(
        "model that it will judge, to learn from the same notes (default: a split of its own)",
        fits=_GENERATORS,
    ),
]


def families(checkpoint: str | None = None) -> list[str]:
    """List the families of instruments that a generator knows."""
    return list(checkpoints.config_of("gansynth-lite", checkpoint or "notes").get("families", []))
