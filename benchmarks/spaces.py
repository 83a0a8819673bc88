"""What a judge without a part in the training says of music-vae, and how much both systems paste.

    python benchmarks/spaces.py ways --model mel-16bar       # bits between two pieces
    python benchmarks/spaces.py bits --model mel-16bar       # bits of what is drawn
    python benchmarks/spaces.py pasting --books oneills --composers "Clara Wieck" --index index.tsv

ways     bits of the middle between two held-out pieces, against those of its ends
bits     of drawn pieces, beside real ones, copies and chance
pasting  both systems adapted to one half of each book: are samples nearer to the other half, and
         how much of them is copied? The judge is adapted to that other half. A book is a folder
         of songs, or the lieder of a composer among the packaged tunes

The judge is the Transformer of melody-rnn, which is told the metre and nothing else. Pieces are
moved to the C of the major scale that holds most of their notes before it reads them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from groove_core.errors import InputError
from groove_core.learning import Run, about_intervals, hashed, interval, mean, trained
from groove_core.storage import read_table
from groove_core.storage.files import dump_json
from groove_core.tunes import Stream, Stretches, TuneSet, mean_of_known
from groove_core.tunes import open_tunes as songs_of_folder
from groove_core.values import Estimate, Melody, Report, key_name
from melody_rnn.adapting import AdaptSettings as RNNSettings
from melody_rnn.adapting import AdaptTraining as RNNTraining
from melody_rnn.adapting import Own as RNNOwn
from melody_rnn.evaluation import bits_of
from melody_rnn.lessons import Lesson
from melody_rnn.lines import OPEN, Line, encode
from melody_rnn.lines import windows as line_windows
from melody_rnn.loading import load_transformer
from melody_rnn.samples import drawn, lines_of, long_lines, stream_of
from melody_rnn.transformer import Transformer
from melody_rnn.tunes import shipped
from music_vae.adapting import AdaptSettings, AdaptTraining, Own
from music_vae.alphabets import melody_events
from music_vae.evaluation import per, per_rounds
from music_vae.evaluation.interpolation import POINTS, pairs_of, ways_between
from music_vae.evaluation.keys import pitch_classes, scale_of
from music_vae.evaluation.samples import SIZES, drawn_by, pieces_beside
from music_vae.loading import load
from music_vae.model import MusicVAE
from music_vae.sets import windows_of
from music_vae.windows import METRES, WindowSet, of_melodies

STEPS_PER_QUARTER = 4
STEPS = 256
"""Of what melody-rnn writes: sixteen bars."""


# --- the judge ---------------------------------------------------------------------------------


def lines_to_judge(rows: np.ndarray) -> list[Line]:
    """Return melodies of music-vae [shape=(n, steps)] as the judge reads them."""
    found = []
    for row, tonic in zip(rows, scale_of(pitch_classes(rows[:, None], ["melody"])), strict=True):
        sharps = (7 * int(tonic) + 5) % 12 - 5
        melody = Melody.from_events(melody_events(row), key=key_name(sharps, minor=False))
        found.append(replace(encode(melody), mode=OPEN))
    return found


def judged(judge: Transformer, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the bits of melodies [shape=(n,)], and their steps and events [shape=(n, 2)]."""
    return bits_of(judge, lines_to_judge(rows))


def times(
    bits: np.ndarray, counts: np.ndarray, others: np.ndarray, other_counts: np.ndarray, owners
) -> Estimate:
    """Return bits per count as a multiple of other bits per count, with an interval over owners."""
    return interval(per_rounds(bits, counts, owners) / per_rounds(others, other_counts, owners))


def melody_of(model: MusicVAE) -> int:
    """Return the number of the voice that the judge can read."""
    if "melody" not in model.voices:
        raise SystemExit("The judge reads melodies: choose a model that has one.")
    return model.voices.index("melody")


def ways(
    model: MusicVAE, windows: WindowSet, judge: Transformer, name: str, *, count: int, seed: int
) -> Report:
    """Compare the bits of the middle of each way with those of its ends."""
    events, song = windows.part("test")
    pairs, voice = pairs_of(song, count, seed), melody_of(model)
    owner, rows = song[pairs[0]], []
    ends: tuple[np.ndarray, np.ndarray] | None = None
    for way, made in ways_between(model, events, pairs, seed=seed).items():
        melodies = made[:, :, voice]
        if ends is None:  # they are the same for all ways
            both = [judged(judge, melodies[:, end]) for end in (0, -1)]
            ends = both[0][0] + both[1][0], both[0][1] + both[1][1]
            steps, notes = (per(ends[0], column, owner) for column in ends[1].T)
            rows.append(("the ends", steps, None, notes, None))
        bits, counts = judged(judge, melodies[:, POINTS // 2])
        cells = [
            cell
            for column in (0, 1)
            for cell in (
                per(bits, counts[:, column], owner),
                times(bits, counts[:, column], ends[0], ends[1][:, column], owner),
            )
        ]
        rows.append((way, *cells))
    return Report(
        f"{name}: bits of the middle between {len(owner)} pairs of pieces that were not learnt",
        ("", "bits per step", "times the ends per step", "bits per event",
         "times the ends per event"),
        rows,
        notes=(
            "The judge is melody-rnn's Transformer, which is told the metre only.",
            "The ends are what the network remembers of both pieces, the same for all ways.",
            about_intervals("songs"),
        ),
    )  # fmt: skip


def bits_of_samples(
    model: MusicVAE, windows: WindowSet, judge: Transformer, name: str, *, count: int, seed: int
) -> Report:
    """Measure the bits of drawn pieces beside those of real ones."""
    voice, rows = melody_of(model), []
    for kind, (made, owner) in pieces_beside(model, windows, count=count, seed=seed).items():
        bits, counts = judged(judge, made[:, voice])
        mine = np.arange(len(made)) if owner is None else owner
        rows.append((kind, *(per(bits, column, mine) for column in counts.T), len(made)))
    return Report(
        f"{name}: bits of pieces", ("pieces of", "bits per step", "bits per event", "pieces"), rows,
        notes=(
            "The judge is melody-rnn's Transformer, which is told the metre only. It has learnt "
            "the learnt songs, too.",
            about_intervals("pieces, of held-out songs over songs"),
        ),
    )  # fmt: skip


# --- pasting -----------------------------------------------------------------------------------


def book_of(tunes: TuneSet, numbers: Iterable[int], bars: int) -> TuneSet:
    """Return those songs of which both systems can learn: melodies of so many bars in 4/4."""
    found = []
    for number in numbers:
        tune = tunes.tune(number)
        melodies = [
            replace(one, metre=(4, 4))
            for one in tune.melodies
            if one.metre in METRES
            and one.steps_per_quarter == STEPS_PER_QUARTER
            and one.bars >= bars
        ]
        if melodies:
            found.append(replace(tune, melodies=tuple(melodies)))
    return TuneSet.of(found)


def halves(tunes: TuneSet) -> tuple[TuneSet, TuneSet]:
    """Divide songs in two, copies of a song together."""
    groups = sorted(set(tunes.groups), key=hashed)
    sides = [set(groups[::2]), set(groups[1::2])]
    every = [tunes.tune(number) for number in range(len(tunes))]
    return tuple(TuneSet.of([one for one in every if one.group in side]) for side in sides)


def stream(tunes: TuneSet) -> Stream:
    """Put the melodies of songs one behind the other, to look for their stretches."""
    return tunes.stream(range(len(tunes.about)))


def adapted_rnn(tunes: TuneSet, model: Transformer, card: dict, options) -> Transformer:
    """Adapt the Transformer of melody-rnn to songs."""
    own = RNNOwn(tunes, model, card, Lesson(shipped()))
    settings = RNNSettings(epochs=options.epochs or RNNSettings.epochs, precision=options.precision)
    return trained(RNNTraining, settings, own, Run(options.seed, options.device)).model


def adapted_vae(tunes: TuneSet, model: MusicVAE, card: dict, general: WindowSet, options):
    """Adapt a space of music-vae to songs."""
    songs = [of_melodies(tune.group, tune.melodies) for tune in map(tunes.tune, range(len(tunes)))]
    own = Own(WindowSet.of(songs, model.voices, model.bars), model, card, general)
    settings = AdaptSettings(epochs=options.epochs or AdaptSettings.epochs)
    return trained(AdaptTraining, settings, own, Run(options.seed, options.device)).model


def written_by_rnn(model: Transformer, tunes: TuneSet, count: int, seed: int):
    """Write melodies in the metre and mode of some songs; returns lines and their stream."""
    lines, _ = long_lines(*Lesson(tunes).part("train", "validation", "test"))
    like = line_windows(lines, STEPS)
    made = lines_of(drawn(model, like.pick(np.arange(count) % len(like)), seed))
    return [replace(line, mode=OPEN) for line in made], stream_of(made)


def written_by_vae(model: MusicVAE, count: int, seed: int):
    """Draw melodies from the fitted prior; returns lines and their stream."""
    rows = drawn_by(model, "fitted", count, seed=seed)[:, 0]
    return lines_to_judge(rows), Stream.of(list(melody_events(rows)))


def pasted(
    book: str, tunes: TuneSet, spaces: dict, rnn: tuple[Transformer, dict], options
) -> Iterator[tuple]:
    """Yield a row for each system before and after it is adapted to a half of a book."""
    learnt, other = halves(tunes)
    model, card = rnn
    judge = adapted_rnn(other, model, card, options)
    known = {size: Stretches(stream(learnt), size) for size in SIZES}
    count, seed = options.count, options.seed

    def row(system: str, when: str, lines: Sequence[Line], made: Stream, owners) -> tuple:
        (bits, counts), (general, _) = bits_of(judge, lines), bits_of(model, lines)
        events = counts[:, 1]
        shares = [mean_of_known(stretches.share(made), owners) for stretches in known.values()]
        nearer = per(general - bits, events, owners)
        return (book, system, when, per(bits, events, owners), nearer, *shares, len(lines))

    lines = [replace(line, mode=OPEN) for line in Lesson(learnt).part("train", "validation",
                                                                      "test")[0]]  # fmt: skip
    songs = learnt.tune_of.tolist()
    real = row("the songs", f"{len(learnt)} learnt", lines, stream(learnt), songs)
    # What one half shares with the other without copying is the control.
    control = [mean_of_known(each.share(stream(other)), other.tune_of) for each in known.values()]
    yield (*real[:5], *control, len(lines))
    networks = {"melody-rnn": (model, adapted_rnn(learnt, model, card, options))}
    for name, (space, about, general) in spaces.items():
        networks[name] = (space, adapted_vae(learnt, space, about, general, options))
    for name, states in networks.items():
        for when, network in zip(("before", "after"), states, strict=True):
            lines, made = (
                written_by_rnn(network, learnt, count, seed)
                if isinstance(network, Transformer)
                else written_by_vae(network, count, seed)
            )
            yield row(name, when, lines, made, np.arange(len(lines)))


def pasting(books: dict[str, TuneSet], spaces: dict, rnn, options) -> Report:
    """Compare both systems, before and after they are adapted, on all books.

    What they knew of the songs before does not matter for who is held out: else of a book that was
    learnt nothing could be.
    """
    rnn = rnn[0], {**rnn[1], "data": {}}
    spaces = {
        name: (model, {**card, "data": {}}, general)
        for name, (model, card, general) in spaces.items()
    }
    rows: list[tuple] = []
    for name, tunes in books.items():
        print(f"{name}: {len(tunes)} songs", file=sys.stderr)
        try:
            rows += list(pasted(name, tunes, spaces, rnn, options))
        except InputError as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
    if len({row[0] for row in rows}) > 1:
        # A book counts once, however many songs it has.
        for system, when in dict.fromkeys(
            row[1:3] for row in rows if row[2] in ("before", "after")
        ):
            mine = [row for row in rows if row[1:3] == (system, when)]
            cells = [
                mean([row[at].value for row in mine], np.arange(len(mine)))
                for at in range(3, 5 + len(SIZES))
            ]
            rows.append(("all books", system, when, *cells, len(mine)))
    return Report(
        "What both systems write before and after they are adapted to half of a book",
        ("book", "system", "state", "bits per event", "nearer by",
         *(f"copied, {size} steps" for size in SIZES), "melodies"),
        rows,
        notes=(
            "bits per event: of samples, under melody-rnn's Transformer adapted to the other half "
            "of the book. Of the songs, those of the half that the systems learn from.",
            "nearer by: bits that this judge saves against the same Transformer before it was "
            "adapted; plain melodies, which are cheap for both, gain nothing by it.",
            "copied: share of stretches that stand in the half that was learnt, in whatever key. "
            "Of the songs, those of the other half: what they share without copying.",
            f"{options.count} samples each; melody-rnn writes {STEPS // 16} bars, in the metres of "
            "the songs.",
            about_intervals("samples, of songs over songs, of all books over books"),
        ),
    )  # fmt: skip


# --- the command line ------------------------------------------------------------------------


def open_books(options: argparse.Namespace, bars: int) -> dict[str, TuneSet]:
    """Read the books that were asked for."""
    found = {}
    for folder in options.books:
        tunes = songs_of_folder(folder)
        found[folder.name] = book_of(tunes, range(len(tunes)), bars)
    if options.composers:
        composer = {row["id"]: row["composer"] for row in read_table(options.index, ("id",))}
        tunes = shipped()
        for name in options.composers:
            mine = [
                number
                for number, head in enumerate(tunes.heads)
                if composer.get(head.name) == name and (head.part != "train" or not options.unheard)
            ]
            found[name] = book_of(tunes, mine, bars)
    return found


def main() -> None:
    """Measure what was asked for, print it, and keep it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=["ways", "bits", "pasting"])
    parser.add_argument("--model", nargs="+", default=["mel-16bar"], help="names or checkpoints")
    parser.add_argument("--judge", help="checkpoint of a Transformer (default: the packaged one)")
    parser.add_argument("--count", type=int, default=500, help="pairs or samples (default: 500)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--books", nargs="*", type=Path, default=[], help="folders of songs")
    parser.add_argument(
        "--composers", nargs="*", default=[], help="of lieder in the packaged tunes"
    )
    parser.add_argument("--index", type=Path, help="table with id and composer of the lieder")
    parser.add_argument("--unheard", action="store_true",
                        help="without the lieder that the networks have learnt")  # fmt: skip
    parser.add_argument("--epochs", type=int, help="of an adaptation, at most")
    parser.add_argument("--precision", choices=["32", "bf16"], default="bf16")
    parser.add_argument("--out", type=Path, help="folder for the tables as JSON")
    parser.add_argument("--json", action="store_true", help="print the table as JSON")
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    rnn = load_transformer(options.judge, options.device)
    spaces = {}
    for name in options.model:
        model, card = load("mel-16bar", name, options.device)
        spaces[card["name"]] = (model, card, windows_of(model).as_learnt(card))
    if options.part == "pasting":
        longest = max(model.bars for model, _, _ in spaces.values())
        report = pasting(open_books(options, longest), spaces, rnn, options)
        reports = {"pasting": report}
    else:
        measure = {"ways": ways, "bits": bits_of_samples}[options.part]
        reports = {
            f"{options.part}-{name}": measure(
                model, windows, rnn[0], name, count=options.count, seed=options.seed
            )
            for name, (model, _, windows) in spaces.items()
        }
    for name, report in reports.items():
        print(dump_json(report.to_json()) if options.json else report.to_text())
        if options.out:
            report.save(options.out / f"{name}.json")


if __name__ == "__main__":
    main()
