"""What a generator of notes is worth, beside real notes, copies and noise."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from gansynth_lite.classifier import Heard, NoteClassifier, hear
from gansynth_lite.holding import locked
from gansynth_lite.layout import Layout
from gansynth_lite.metrics import (
    apart,
    distances,
    diversity,
    inception_score,
    log_mel,
    ndb,
    nearest,
    pitch_accuracy,
    pitch_entropy,
    signal_to_noise,
    smoothness,
    spectral_convergence,
    timbre,
    timbre_ratio,
)
from gansynth_lite.model import GANSynth
from gansynth_lite.notes import Int, Notes
from gansynth_lite.pitch import cents, detect_f0
from gansynth_lite.playing import slerp
from gansynth_lite.progressive import ProgressiveGAN
from gansynth_lite.training import one_hot, sounds
from groove_core.console import note, track
from groove_core.errors import InputError, UsageError
from groove_core.learning import bootstrap, frechet_distance, interval, mean, wilson
from groove_core.values import Cell, Estimate, Report

__all__ = ["measure", "measure_classifier", "measure_instruments", "round_trip"]

AT_ONCE = 16
KNOWN = 4096
"""Training notes that sets are compared with; the nearest is looked for among all."""
BINS = 50
COPY_DB = 0.1
"""Notes nearer than this are one and the same."""
TUNED_CENTS = 50.0
STEPS = 32
"""Of a morph."""
PITCHES = 6
"""At which the timbre of an instrument is looked at."""
COLUMNS = (
    "notes", "pitch accuracy", "within 50 cents", "median cents", "pitch entropy", "NDB/K", "FID",
    "IS", "diversity", "family accuracy", "family of the nearest", "nearest training note",
    "exact copies",
)  # fmt: skip

Floats = npt.NDArray[np.float64]
Generator = GANSynth | ProgressiveGAN
Making = Callable[[Tensor], Tensor]
"""Give the samples [shape=(n, samples), peak 1] of notes number i, j ..."""


@torch.no_grad()
def measure(
    model: Generator,
    notes: Notes,
    parts: Mapping[str, Int],
    classifier: NoteClassifier,
    *,
    count: int,
    seed: int,
    name: str,
    device: str,
) -> Report:
    """Measure `count` generated notes beside held-out notes, copies and noise.

    Pitches and families wanted are those of held-out notes.

    Parameters
    ----------
    model : GANSynth or ProgressiveGAN
    notes : Notes
        Of the model's length and sample rate.
    parts : dict
        Of `gansynth_lite.notes.split`, as in training.
    classifier : NoteClassifier
        Trained on the same part.
    count : int
    seed : int
    name : str
        Of the row.
    device : str

    Raises
    ------
    InputError
        If there are too few notes.
    UsageError
        If the notes are none that the model and the classifier know.
    """
    _check(model.layout, notes, parts)
    if classifier.sample_rate != notes.sample_rate:
        raise UsageError(
            f"The classifier hears {classifier.sample_rate} Hz, the notes have "
            f"{notes.sample_rate}.",
            hint="Train a classifier on these notes.",
        )
    generator = torch.Generator().manual_seed(seed)
    train, test = (torch.from_numpy(parts[part]) for part in ("train", "test"))
    pitches, families = (torch.from_numpy(one) for one in (notes.pitches, notes.families))
    test = test[torch.randperm(len(test), generator=generator)]
    wanted = test[torch.arange(count) % len(test)]
    copied = train[torch.randint(len(train), (count,), generator=generator)]
    held = test[:count]
    z = torch.randn(count, model.code, generator=generator)
    w_family = _asked(model, notes, wanted)

    def drawn(at: Tensor) -> Tensor:
        w = model.instruments(z[at].to(device), w_family[at].to(device))
        return _played(model, w, pitches[wanted[at]].to(device), generator)

    def noise(at: Tensor) -> Tensor:
        made = torch.randn(len(at), notes.samples.shape[1], generator=generator)
        return made / made.abs().amax(dim=1, keepdim=True)

    with _on(device, model, classifier):
        known = _Known.of(notes, train, classifier, generator, count, device)
        makings: dict[str, tuple[Making, Tensor]] = {
            name: (drawn, wanted),
            "held-out notes": (lambda at: sounds(notes, held[at], device), held),
            "training notes copied": (lambda at: sounds(notes, copied[at], device), copied),
            "noise": (noise, wanted),
        }
        seen = {
            row: _Seen.of(make, pitches[who], families[who], classifier, device, row)
            for row, (make, who) in makings.items()
        }
    real = diversity(seen["held-out notes"].log_mels, pitches[held]).value
    told = bool(classifier.families) and classifier.families == notes.family_names
    # The network of the source cannot be asked for a family.
    asked = told and isinstance(model, GANSynth) and bool(model.families)
    rows = [
        (row, *_cells(one, known, real, seed, asked if row == name else told))
        for row, one in seen.items()
    ]
    return Report(
        f"{name}: {count} notes",
        ("", *COLUMNS),
        tuple(rows),
        notes=(
            "pitch accuracy, pitch entropy [nats], IS (of pitches), FID, family accuracy: by a "
            "classifier that has not seen the generator; FID and NDB are those of "
            f"{len(known.features)} training notes, and larger for fewer notes.",
            "within 50 cents, median cents: YIN, without training; where no pitch is found it is "
            "not within.",
            f"NDB/K: share of {known.bins} bins of log-mel spectrograms that hold another share of "
            "notes; .05 by chance.",
            f"diversity: mean distance between notes of one pitch, over that of held-out notes "
            f"({real:.1f} dB).",
            "nearest training note: root mean square difference of log-mel spectrograms [dB]; "
            "family of the nearest: how often it is of the family wanted.",
            "±: the wider side of the 95 % interval over notes (bootstrap; of shares Wilson's).",
        ),
        data={"seed": seed, "count": count, "known": len(known.features), "bins": known.bins},
    )


@dataclass(frozen=True)
class _Known:
    """The notes a generator learnt from: all log-mel spectrograms, features of some."""

    log_mels: Tensor
    families: Tensor
    features: Tensor
    some: Tensor
    """Which of the log-mel spectrograms those are."""
    bins: int

    @classmethod
    def of(
        cls,
        notes: Notes,
        train: Tensor,
        classifier: NoteClassifier,
        generator: torch.Generator,
        count: int,
        device: str,
    ) -> _Known:
        some = torch.randperm(len(train), generator=generator)[:KNOWN]
        heard = hear(classifier, (sounds(notes, one, device) for one in _batches(train[some])))
        # A share of few notes cannot be told from another, not even from none.
        bins = max(2, min(BINS, len(some) // 10, count // 5))
        families = torch.from_numpy(notes.families)[train]
        return cls(_log_mels(notes, train, device), families, heard.features, some, bins)


@dataclass(frozen=True)
class _Seen:
    """Notes as they are judged, and what they were to be; on the CPU."""

    heard: Heard
    log_mels: Tensor
    cents: Tensor
    pitches: Tensor
    families: Tensor

    @classmethod
    def of(
        cls,
        make: Making,
        pitches: Tensor,
        families: Tensor,
        classifier: NoteClassifier,
        device: str,
        name: str,
    ) -> _Seen:
        log_mels, f0 = [], []
        rate = classifier.sample_rate

        def batches() -> Iterator[Tensor]:
            for at in track(_batches(torch.arange(len(pitches))), f"hearing: {name}"):
                samples = make(at).to(device)
                log_mels.append(log_mel(samples, rate).cpu())
                f0.append(detect_f0(samples, rate, high_hz=min(4_400.0, rate / 4)).cpu())
                yield samples

        heard = hear(classifier, batches())
        away = cents(torch.cat(f0), pitches).abs()
        return cls(heard, torch.cat(log_mels), away, pitches, families)


def _cells(seen: _Seen, known: _Known, real: float, seed: int, told: bool) -> list[Cell]:
    n = len(seen.pitches)
    found = seen.cents[seen.cents.isfinite()].double().numpy()
    varied = diversity(seen.log_mels, seen.pitches)
    labelled = seen.families >= 0
    right = (seen.heard.families.argmax(dim=1) == seen.families) if told else labelled
    close, which = nearest(seen.log_mels, known.log_mels)
    alike = known.families[which] == seen.families
    return [
        n,
        pitch_accuracy(seen.heard.pitches, seen.pitches, seen.heard.low),
        wilson(int((seen.cents <= TUNED_CENTS).sum()), n),
        _median(found),
        pitch_entropy(seen.heard.pitches),
        ndb(known.log_mels[known.some], seen.log_mels, bins=known.bins, seed=seed) / known.bins,
        frechet_distance(known.features, seen.heard.features),
        inception_score(seen.heard.pitches),
        Estimate(varied.value / real, varied.low / real, varied.high / real),
        wilson(int(right[labelled].sum()), int(labelled.sum()))
        if told and labelled.any()
        else None,
        wilson(int(alike[labelled].sum()), int(labelled.sum())) if labelled.any() else None,
        mean(close),
        float((close < COPY_DB).float().mean()),
    ]


@torch.no_grad()
def measure_instruments(
    model: Generator,
    notes: Notes,
    parts: Mapping[str, Int],
    *,
    count: int,
    seed: int,
    name: str,
    device: str,
) -> Report:
    """Measure whether a latent code is an instrument: over pitches, between codes, from a note.

    Parameters
    ----------
    model : GANSynth or ProgressiveGAN
        Without an encoder, rows of notes that are encoded are left out.
    notes, parts
        See `measure`.
    count : int
        Instruments, and held-out notes to encode; a fourth as many morphs.
    seed : int
    name : str
    device : str

    Raises
    ------
    InputError, UsageError
        See `measure`.
    """
    _check(model.layout, notes, parts)
    generator = torch.Generator().manual_seed(seed)
    test = torch.from_numpy(parts["test"])
    test = test[torch.randperm(len(test), generator=generator)]
    pitches = torch.from_numpy(notes.pitches)
    drawn = test[torch.arange(count) % len(test)]
    z = torch.randn(count, model.code, generator=generator).to(device)
    places = _places(notes)
    with _on(device, model):
        w = model.instruments(z, _asked(model, notes, drawn).to(device))
        across = _timbre_of_model(model, w, places)
        morphs = _morphs(model, w, pitches[drawn].to(device))
        encoded = _encoded(model, notes, parts, test[:count], generator, device)
    rows: list[tuple[Cell, ...]] = [
        ("timbre across pitches / across instruments", across),
        ("the same of real instruments", _timbre_of_notes(notes, places)),
        ("largest / mean step of a morph, median", _median(morphs)),
        ("the same, worst", float(morphs.max()) if len(morphs) else None),
        *encoded.items(),
    ]
    return Report(
        f"{name}: {count} instruments",
        ("", "value"),
        tuple(rows),
        notes=(
            f"timbre: levels of partials and in time; at pitches "
            f"{', '.join(map(str, places.tolist()))}; below 1, an instrument is more like itself "
            "at other pitches than like others.",
            f"morph: {len(morphs)} pairs of instruments, {STEPS} steps on the sphere.",
            "Distances are root mean square differences of log-mel spectrograms to a held-out "
            "note [dB].",
            "±: the wider side of the 95 % bootstrap interval over instruments, morphs or notes.",
        ),
        data={"seed": seed, "count": count, "steps": STEPS, "pitches": places.tolist()},
    )


def _places(notes: Notes) -> Tensor:
    """Give pitches over the range of the notes, but for its ends, where some have no partials."""
    low, high = int(notes.pitches.min()), int(notes.pitches.max())
    span = high - low
    places = np.linspace(low + span / 5, high - span / 8, PITCHES).round()
    return torch.from_numpy(np.unique(places)).long()


def _timbre_of_model(model: Generator, w: Tensor, places: Tensor) -> Estimate | None:
    if min(len(w), len(places)) < 2:
        return None
    found = []
    for one in track(w, "hearing instruments", total=len(w)):
        pitches = places.to(w.device)
        made = _played(model, one.expand(len(places), -1), pitches, None)
        found.append(timbre(made, pitches, model.layout.sample_rate).cpu())
    return timbre_ratio(torch.stack(found))


def _timbre_of_notes(notes: Notes, places: Tensor) -> Estimate | None:
    """Measure those instruments that have all the pitches, at the velocity most notes have."""
    usual = np.bincount(notes.velocities).argmax()
    found = []
    for instrument in np.unique(notes.instruments[notes.velocities == usual]):
        mine = np.flatnonzero((notes.instruments == instrument) & (notes.velocities == usual))
        at = {
            pitch: i for i, pitch in zip(mine.tolist(), notes.pitches[mine].tolist(), strict=True)
        }
        if all(pitch in at for pitch in places.tolist()):
            chosen = torch.tensor([at[pitch] for pitch in places.tolist()])
            found.append(timbre(sounds(notes, chosen), places, notes.sample_rate))
    if len(found) < 2 or len(places) < 2:
        note("too few real instruments have all pitches at which timbre is compared")
        return None
    return timbre_ratio(torch.stack(found))


def _morphs(model: Generator, w: Tensor, pitches: Tensor) -> Floats:
    """Go from instrument to instrument at one pitch; give how even each way is."""
    found = []
    steps = torch.linspace(0, 1, STEPS + 1, device=w.device)
    for index in track(range(0, len(w) - 1, 4), "morphing", total=len(w) // 4):
        a, b = w[index : index + 1], w[index + 1 : index + 2]
        path = slerp(a.expand(len(steps), -1), b.expand(len(steps), -1), steps)
        levels = [
            log_mel(
                _played(model, some, pitches[index].expand(len(some)), None),
                model.layout.sample_rate,
            )
            for some in _batches(path)
        ]
        found.append(smoothness(torch.cat(levels)))
    return np.array(found)


def _encoded(
    model: Generator,
    notes: Notes,
    parts: Mapping[str, Int],
    held: Tensor,
    generator: torch.Generator,
    device: str,
) -> dict[str, Cell]:
    """Make held-out notes of their own codes, and of those of other notes of the instrument."""
    train = torch.from_numpy(parts["train"])
    pitches, instruments = (torch.from_numpy(one) for one in (notes.pitches, notes.instruments))
    mine: list[int] = []
    others: list[int] = []
    for i in held.tolist():
        same = (instruments[train] == instruments[i]) & (pitches[train] != pitches[i])
        choice = train[same]
        if len(choice):
            mine.append(i)
            others.append(int(choice[torch.randint(len(choice), (), generator=generator)]))

    def decoded(sources: Tensor, wanted: Tensor) -> Tensor:
        """Give how far what is made of some notes is from those that are wanted."""
        found = []
        for of, to in zip(_batches(sources), _batches(wanted), strict=True):
            pictures = model.layout.to_pictures(sounds(notes, of, device))
            w = model.encode(pictures, pitches[of].to(device))
            made = _played(model, w, pitches[to].to(device), None)
            real = log_mel(sounds(notes, to, device), notes.sample_rate)
            found.append(apart(log_mel(made, notes.sample_rate), real).cpu())
        return torch.cat(found) if found else torch.zeros(0)

    try:
        own = decoded(held, held)
    except UsageError:  # the network of the source has no encoder
        return {}
    same_pitch = train[torch.isin(pitches[train], pitches[held])]
    between = distances(_log_mels(notes, held, device), _log_mels(notes, same_pitch, device))
    between[pitches[held][:, None] != pitches[same_pitch]] = torch.nan
    known = between[~between.isnan().all(dim=1)]
    return {
        "a note, encoded and decoded": mean(own),
        "from another pitch of its instrument": mean(
            decoded(torch.tensor(others, dtype=torch.int64), torch.tensor(mine, dtype=torch.int64))
        ),
        "nearest training note of its pitch": mean(known.nan_to_num(torch.inf).amin(dim=1)),
        "any training note of its pitch": mean(known.nanmean(dim=1)),
    }


@torch.no_grad()
def measure_classifier(
    classifier: NoteClassifier, notes: Notes, parts: Mapping[str, Int], *, name: str, device: str
) -> Report:
    """Measure how often a classifier tells pitch and family of notes, beside guesses.

    Parameters
    ----------
    notes, parts
        See `measure`; `parts` as in its training.
    name : str
        Of the row.
    device : str

    Raises
    ------
    InputError
        If no note is held out.
    """
    if not len(parts["test"]):
        raise InputError("No note is held out to measure by.", hint="Give more notes.")
    rows: list[tuple[Cell, ...]] = []
    for part in ("test", "train"):
        which = torch.from_numpy(parts[part])[:: max(1, len(parts[part]) // KNOWN)]
        pitches, families = (torch.from_numpy(o)[which] for o in (notes.pitches, notes.families))
        with _on(device, classifier):
            heard = hear(classifier, (sounds(notes, at, device) for at in _batches(which)))
        known = families >= 0
        guess = heard.families.argmax(dim=1) if classifier.families else families
        right = int((guess == families)[known].sum())
        rows.append((
            f"{name}, {'held-out' if part == 'test' else 'training'} notes", len(which),
            wilson(int((heard.pitch == pitches).sum()), len(which)),
            wilson(right, int(known.sum())) if known.any() else None,
        ))  # fmt: skip
    counts = torch.bincount(torch.from_numpy(notes.families) + 1)[1:]
    rows.append((
        "most frequent", None,
        float(np.bincount(notes.pitches).max() / len(notes)),
        float(counts.max() / counts.sum()) if counts.any() else None,
    ))  # fmt: skip
    return Report(name, ("", "notes", "pitch", "family"), tuple(rows))


@torch.no_grad()
def round_trip(
    notes: Notes, layout: Layout, *, count: int = 64, refine: int = 16, seed: int = 0
) -> Report:
    """Measure what pictures keep of notes: the best that any generator of them can do.

    Parameters
    ----------
    notes : Notes
    layout : Layout
        Both of its scales are measured.
    count : int
        Notes, drawn at random.
    refine : int
        Rounds of Griffin-Lim for the rows that have some.
    seed : int

    Raises
    ------
    UsageError
        If the notes have another length or sample rate.
    """
    _check(layout, notes, {})
    generator = torch.Generator().manual_seed(seed)
    some = torch.randperm(len(notes), generator=generator)[:count]
    rows: list[tuple[Cell, ...]] = []
    for scale in ("linear", "mel"):
        of = replace(layout, scale=scale)
        for rounds in (0, refine):
            noise, convergence = [], []
            for at in track(_batches(some), f"there and back: {scale}"):
                samples = sounds(notes, at)
                made = of.to_samples(of.to_pictures(samples), refine=rounds)
                noise.append(signal_to_noise(samples, made))
                convergence.append(spectral_convergence(samples, made))
            level, away = (torch.cat(one).double().numpy() for one in (noise, convergence))
            row = f"{scale}, {rounds} rounds of Griffin-Lim" if rounds else scale
            rows.append((row, _median(level), level.min(), _median(away), away.max()))
    return Report(
        f"{len(some)} notes as pictures and back",
        ("", "SNR, median [dB]", "SNR, lowest [dB]", "spectral convergence, median", "highest"),
        tuple(rows),
        notes=(
            "spectral convergence: difference of magnitude spectrograms over the whole; 0: equal.",
            "±: the wider side of the 95 % bootstrap interval over notes.",
        ),
    )


def _asked(model: Generator, notes: Notes, at: Tensor) -> Tensor:
    """Give the families [shape=(n, families)] of some notes, as a model is asked for them."""
    return one_hot(torch.from_numpy(notes.labels(model.families))[at], len(model.families))


def _check(layout: Layout, notes: Notes, parts: Mapping[str, Int]) -> None:
    found = notes.sample_rate, notes.samples.shape[1]
    if found != (layout.sample_rate, layout.samples):
        raise UsageError(
            f"The notes have {found[1]} samples at {found[0]} Hz, not {layout.samples} at "
            f"{layout.sample_rate}.",
            hint=f"Open them with sample_rate={layout.sample_rate}, samples={layout.samples}.",
        )
    for name, least in (("train", 20), ("test", 2)):
        if parts and len(parts[name]) < least:
            raise InputError(
                f"{len(parts[name])} notes are too few to {name} with.", hint="Give more notes."
            )


@contextlib.contextmanager
def _on(device: str, *models: nn.Module) -> Iterator[None]:
    """Lend models to a device; afterwards they are where, and as, they were."""
    before = [(next(model.parameters()).device, model.training) for model in models]
    for model in models:
        model.to(device).eval()
    try:
        yield
    finally:
        for model, (place, training) in zip(models, before, strict=True):
            model.to(place).train(training)


def _batches(values: Tensor) -> tuple[Tensor, ...]:
    return values.split(AT_ONCE) if len(values) else ()


def _played(
    model: Generator, w: Tensor, pitches: Tensor, generator: torch.Generator | None
) -> Tensor:
    """Give the samples of instruments [shape=(n, samples), peak 1]."""
    made = model.layout.to_samples(locked(model(w, pitches, generator), model.layout))
    return made / made.abs().amax(dim=1, keepdim=True).clamp_min(1e-9)


def _log_mels(notes: Notes, which: Tensor, device: str) -> Tensor:
    found = [
        log_mel(sounds(notes, at, device), notes.sample_rate).cpu()
        for at in track(_batches(which), "looking at notes")
    ]
    return torch.cat(found)


def _median(values: Floats) -> Estimate | None:
    """Give the median; None of nothing."""
    if not len(values):
        return None
    draws = bootstrap(len(values)).astype(np.int64)
    return interval(np.array([np.median(np.repeat(values, counts)) for counts in draws]))
