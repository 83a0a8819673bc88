"""Draw the pictures of the READMEs: python docs/pictures.py [NAME ...]."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch

import drum_space
from drum_space import compose, sample
from drum_space.melodies.forms import self_similarity
from groove_core import Audio, Score, Track, dsp
from groove_core.drums import DRUMS
from groove_core.render import render
from groove_core.values import INK, PALETTE
from groove_vae.comparison import Comparison

FOLDER = Path(__file__).with_name("pictures")
PACKAGES = FOLDER.parents[1] / "packages"


def beats() -> None:
    """Draw eight generated beats."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.6), dpi=110, layout="constrained")
    drawn = list(sample(count=8, seed=5))
    # One set of rows for all, so that the eye can compare.
    rows = [i for i in range(len(DRUMS)) if any(b.hits[:, i].any() for b in drawn)]
    for index, (ax, beat) in enumerate(zip(figure.subplots(2, 4).flat, drawn, strict=True)):
        for y, drum in enumerate(rows):
            steps = np.nonzero(beat.hits[:, drum])[0]
            ax.barh(y, 0.86, left=steps - 0.43, height=0.74, color=PALETTE[drum % len(PALETTE)])
        for step in range(0, 33, 4):
            ax.axvline(step - 0.5, color=INK, lw=0.9 if step % 16 == 0 else 0.25, zorder=0)
        names = [DRUMS[i].name for i in rows] if index % 4 == 0 else [""] * len(rows)
        ax.set_yticks(range(len(rows)), names)
        ax.set(xlim=(-0.5, 31.5), ylim=(len(rows) - 0.5, -0.5), xticks=[])
        ax.tick_params(length=0, labelsize=8)
        for side in ax.spines.values():
            side.set_visible(False)
    figure.suptitle("groove run drum-space sample --seed 5", fontsize=10, family="monospace")
    figure.savefig(FOLDER / "beats.png", metadata={"Software": None})


def latent_map() -> None:
    """Draw the map of all beats, and a look at its page."""
    drawn = drum_space.map()
    drawn.save(FOLDER / "map.png")
    with tempfile.TemporaryDirectory() as folder:
        _play(drawn.save(Path(folder) / "map.html"), FOLDER / "atlas.png")
    for name in ("map", "atlas"):
        _fewer_colours(FOLDER / f"{name}.png")


def form() -> None:
    """Write a song, and draw what its bars have in common."""
    from matplotlib.figure import Figure

    [beat] = sample(count=1, genre="funk", seed=1, tempo_bpm=104)
    piece = compose(beat, form="AA'BA", seed=1)
    target = PACKAGES / "drum-space/sounds/song.mp3"
    target.parent.mkdir(exist_ok=True)
    sound = render(piece, sample_rate=44_100)
    soundfile.write(target, sound.samples.T, sound.sample_rate, compression_level=0.7)
    similar = self_similarity(piece)
    figure = Figure(figsize=(4.6, 4.2), dpi=110, layout="constrained")
    ax = figure.add_subplot()
    image = ax.imshow(similar, cmap="cividis", vmin=0, vmax=1)
    for edge in range(8, 32, 8):
        ax.axvline(edge - 0.5, color="white", lw=0.8)
        ax.axhline(edge - 0.5, color="white", lw=0.8)
    ax.set_xticks(range(4, 36, 8), ["A", "A'", "B", "A"])
    ax.set_yticks(range(4, 36, 8), ["A", "A'", "B", "A"])
    ax.tick_params(length=0)
    ax.set_title("bars of a song: what starts on the same sixteenths", fontsize=9)
    figure.colorbar(image, ax=ax, shrink=0.8, label="cosine")
    figure.savefig(FOLDER / "form.png", metadata={"Software": None})


def sound() -> None:
    """Draw features of five seconds of music: "Vibe Ace" by Kevin MacLeod, CC BY 3.0."""
    from matplotlib.figure import Figure

    clip = Audio.read(PACKAGES / "groove-core/tests/data/vibe-ace.ogg")
    log_mel = dsp.LogMel()(clip)[0]
    parts = dsp.HarmonicPercussive()(clip)[0].square()
    harmonic, percussive = dsp.power_to_db(parts, floor=float(parts.max()) * 1e-8).chunk(2)
    panels = [
        ("log mel", log_mel, "magma"),
        ("harmonic part: what lasts", harmonic, "magma"),
        ("percussive part: what is sudden", percussive, "magma"),
        ("PCEN: how loud against its own past", dsp.PCEN()(clip)[0], "magma"),
    ]
    figure = Figure(figsize=(11, 5), dpi=80, layout="constrained")
    for ax, (title, values, colors) in zip(figure.subplots(2, 2).flat, panels, strict=True):
        extent = (0, clip.duration_s, 0, len(values))
        ax.imshow(values, origin="lower", aspect="auto", extent=extent, cmap=colors)
        ax.set_title(title, fontsize=10)
        ax.set_yticks([])
        ax.set_xlabel("seconds", fontsize=8)
        ax.tick_params(labelsize=8)
    figure.savefig(FOLDER / "sound.png", metadata={"Software": None})
    _fewer_colours(FOLDER / "sound.png")


def comparison() -> None:
    """Draw where a performance of the Groove MIDI Dataset (CC BY 4.0) leaves the grid."""
    from groove_vae import compare
    from groove_vae.performances import load

    path = PACKAGES / "groove-vae/pictures/compare.png"
    compare(load("test")[0].to_score()).save(path)


def fingerprints() -> None:
    """Draw the feel of a part: programmed, humanized, and as it was played."""
    from groove_vae import fingerprint, humanize, quantize
    from groove_vae.performances import load

    played = load("test")[0].to_score()
    programmed = quantize(played, dynamics=1)
    made = humanize(programmed, drummer="drummer7", seed=1)
    named = [
        replace(score, name=name)
        for score, name in ((programmed, "programmed"), (made, "humanized"), (played, "played"))
    ]
    fingerprint(named).save(PACKAGES / "groove-vae/pictures/fingerprints.png")


def steady() -> None:
    """Draw ten parts of the test split, bar below bar: as played, and as humanize plays them.

    Each square shows the velocities of the drum that keeps the time, closed hi-hat or ride.
    """
    from matplotlib.figure import Figure

    from groove_core.drums import KIT_DRUMS
    from groove_vae import humanize, quantize
    from groove_vae.performances import load
    from groove_vae.symbolic import Part, performance_grid

    bars, parts = 8, 10
    names = [drum.name for drum in KIT_DRUMS]
    keepers = [names.index(name) for name in ("closed hi-hat", "ride")]
    shape = bars, 16, len(names)
    found = []
    for one in load("test"):
        hits = performance_grid(one).hit[: 16 * bars][:, keepers].sum(axis=0)
        if hits.max() >= 6 * bars:
            found.append((one, keepers[int(hits.argmax())]))
    figure = Figure(figsize=(11, 3.6), dpi=90, layout="constrained")
    axes = figure.subplots(2, parts, squeeze=False)
    for column, at in enumerate(np.linspace(0, len(found) - 1, parts).astype(int)):
        one, drum = found[at]
        played = one.to_score()
        made = humanize(quantize(played, dynamics=1), seed=column)
        for ax, score, title in zip(
            axes[:, column], (played, made), (f"{one.style}, {names[drum].split()[-1]}", ""),
            strict=True,
        ):  # fmt: skip
            grid = Part.of(score).grid
            loud = np.where(grid.hit, 127 * grid.velocity, np.nan)[: 16 * bars]
            image = ax.imshow(loud.reshape(shape)[..., drum], aspect="auto", vmin=0, vmax=127)
            ax.set_title(title, fontsize=8)
            ax.set_xticks([0, 4, 8, 12], ["1", "2", "3", "4"], fontsize=7)
            ax.set_yticks([])
    axes[0, 0].set_ylabel("played: 8 bars", fontsize=8)
    axes[1, 0].set_ylabel("humanize: 8 bars", fontsize=8)
    figure.colorbar(image, ax=axes, label="velocity", pad=0.01, aspect=40).ax.tick_params(
        labelsize=7
    )
    figure.savefig(PACKAGES / "groove-vae/pictures/steady.png", metadata={"Software": None})


def sample_by_sample() -> None:
    """Draw two beats at 96 bpm, early strokes and then ghost notes, as two models see them.

    The programmed version has the same strokes at one level, on another kit. Prints how much
    the two kinds diverge, for five seeds of the model that learns the played part alone.
    """
    from matplotlib.figure import Figure

    from groove_core.render import kits
    from groove_core.render.kits import RATE, Hits
    from groove_vae import compare

    step_s = 60 / 96 / 4
    onset_s = 0.05 + step_s * np.arange(8)
    drum = np.array([0, 2, 1, 2, 1, 1, 0, 1])
    early, ghost = np.array([0, 1, 2]), np.array([4, 5, 7])
    level_db = np.full(8, -3.0)
    level_db[ghost] = -32.0
    late_s = np.zeros(8)
    late_s[early] = -0.02
    versions = []
    for kit, hits in (
        (0, Hits(onset_s + late_s, drum, level_db)),
        (25, Hits(onset_s, drum, np.where(level_db < -20, -20.0, -3.0))),
    ):
        sound = kits.play(hits, kits.general_midi(kit), 8 * step_s + 0.5)
        versions.append(Audio(sound, RATE).normalized())

    def mean_of(found: Comparison, strokes: np.ndarray) -> float:
        spans = (slice(int((t - 0.03) / found.step_s), int((t + 0.03) / found.step_s))
                 for t in onset_s[strokes])  # fmt: skip
        return float(np.mean([found.curve[span].mean() for span in spans]))

    about = {"tempo_bpm": 96, "align": False, "tone": "same"}
    raw = [compare(*versions, raw=True, seed=seed, **about) for seed in range(1, 6)]
    model = compare(*versions, **about)
    ratios = [mean_of(one, early) / mean_of(one, ghost) for one in raw]
    print("sample by sample, early over ghost:", np.round(ratios, 1))
    print("the shipped model:", round(mean_of(model, early) / mean_of(model, ghost), 2))
    figure = Figure(figsize=(11, 4.2), dpi=100, layout="constrained")
    sound, first, second = figure.subplots(3, 1, sharex=True)
    for audio, sign, color, name in zip(
        versions, (1, -1), (PALETTE[0], PALETTE[4]), ("played", "programmed"), strict=True
    ):
        time_s = np.arange(audio.samples.shape[1]) / RATE
        sound.fill_between(
            time_s, 0, sign * np.abs(audio.samples[0]), color=color, lw=0, label=name
        )
    sound.legend(fontsize=8, frameon=False, ncols=2, loc="upper right")
    for ax, found, title in (
        (first, raw[0], "sample by sample, learnt from the played part alone"),
        (second, model, "groove-vae"),
    ):
        ax.fill_between(np.arange(len(found.curve)) * found.step_s, found.curve, color=INK, lw=0)
        ax.set_title(title, fontsize=9, loc="left")
        ax.set_ylabel("nats", fontsize=8)
    for ax in (sound, first, second):
        ax.tick_params(labelsize=8)
        for time_s in onset_s[early]:
            ax.axvspan(time_s - 0.03, time_s + 0.03, color=PALETTE[1], alpha=0.15, lw=0)
        for time_s in onset_s[ghost]:
            ax.axvspan(time_s - 0.03, time_s + 0.03, color=PALETTE[2], alpha=0.15, lw=0)
    sound.set_yticks([])
    sound.set_title("20 ms early (orange) and ghost notes (green)", fontsize=9, loc="left")
    second.set(xlabel="seconds", xlim=(0, 8 * step_s + 0.2))
    figure.savefig(PACKAGES / "groove-vae/pictures/raw.png", metadata={"Software": None})


def genres() -> None:
    """Draw the map with three recordings, its page, a border, an explanation, confusions.

    The recordings are CC BY 3.0; their README names them.
    """
    from genre_map import explain, interpolate
    from genre_map import map as draw_map
    from genre_map.evaluation import Evaluation

    folder = PACKAGES / "genre-map/pictures"
    recordings = PACKAGES / "groove-core/tests/data"
    found = draw_map(place=sorted(recordings.glob("*.ogg")))
    found.save(folder / "map.png")
    interpolate("blues", "metal").save(folder / "border.png")
    explain(recordings / "vibe-ace.ogg").save(folder / "explain.png")
    Evaluation.read(folder.parent / "measured/libraries.json").save(folder / "confusion.png")
    with tempfile.TemporaryDirectory() as scratch:
        _photograph(found.save(Path(scratch, "map.html")), folder / "page.png")


def generator_curves() -> None:
    """Draw how the generator of genre-map learnt: distance, gradient and information by epoch."""
    import json

    from matplotlib.figure import Figure

    folder = PACKAGES / "genre-map"
    figure = Figure(figsize=(11, 3), dpi=100, layout="constrained")
    titles = ("Wasserstein distance, as the critic has it", "gradient of the generator",
              "mutual-information loss; 1.386 is independence")  # fmt: skip
    axes = figure.subplots(1, 3)
    names = {"ours": "ours", "source": "our reconstruction of the thesis' generator"}
    for (variant, name), color in zip(names.items(), PALETTE, strict=False):
        path = folder / f"measured/generator-{variant}.jsonl"
        if not path.exists():
            continue
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        for ax, title, key in zip(
            axes, titles, ("distance", "gradient", "information"), strict=True
        ):
            values = [line[key] for line in lines]
            ax.plot(range(1, len(lines) + 1), values, color=color, lw=1.5, label=name)
            ax.set_title(title, fontsize=9)
            ax.set_xlabel("epoch", fontsize=8)
            ax.tick_params(labelsize=8)
    axes[0].set_yscale("log")  # the reconstruction's critic begins far away
    axes[0].legend(fontsize=8, frameon=False)
    figure.savefig(folder / "pictures/curves.png", metadata={"Software": None})


def listener() -> None:
    """Draw what music-recsys finds for one who likes flutes; MATERIAL is what `dataset` made."""
    import csv
    import os

    import numpy as np

    from groove_core.values import Audio
    from music_recsys import explain, rate, recommend, score

    folder = PACKAGES / "music-recsys/pictures"
    material = Path(os.environ["MATERIAL"])
    with (material / "manifest.csv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["instrument"]]
    flutes = [material / row["path"] for row in rows if row["instrument"] == "flute"]
    others = [material / row["path"] for row in rows if row["instrument"] != "flute"]
    with tempfile.TemporaryDirectory() as scratch:
        mine = str(Path(scratch, "listener.sqlite"))
        for path in flutes[:10]:
            rate(path, 5, profile=mine)
        for path in others[:10]:
            rate(path, 1, profile=mine)
        songs = Path(scratch, "songs")
        songs.mkdir()
        for path in (*flutes[10:20], *others[10:60]):
            (songs / path.name).symlink_to(path)
        recommend(songs, count=6, profile=mine).save(folder / "recommend.png")
        parts = [Audio.read(path, mono=True) for path in (others[70], flutes[30], others[71])]
        song = np.concatenate([part.samples[0] for part in parts])
        Audio(song, parts[0].sample_rate, "guitar, flute, guitar").save(Path(scratch, "a song.wav"))
        [curve] = score(Path(scratch, "a song.wav"), profile=mine)
        curve.save(folder / "curve.png")
        explain([*flutes[:3], *others[:9]], count=12).save(folder / "filters.png")


def more_songs() -> None:
    """Draw how the gain of the front end of music-recsys grows with the songs it learnt from.

    Beside it, how its interval would shrink with more listeners and pieces.
    """
    import json

    from matplotlib.figure import Figure

    from groove_core.values import Report

    folder = PACKAGES / "music-recsys"
    curve, more = (
        Report.from_json(json.loads((folder / f"measured/{name}.json").read_text()))
        for name in ("size", "interval")
    )
    listeners, pieces = (float(count) for count in more.rows[0][:2])
    both = [row for row in more.rows if float(row[0]) / listeners == float(row[1]) / pieces]
    figure = Figure(figsize=(11, 3.4), dpi=100, layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for ax, columns, rows, label in zip(
        axes,
        (curve.columns, more.columns),
        (curve.rows, both),
        ("songs learnt from", "listeners, with as many times the grooves and pieces"),
        strict=True,
    ):
        for number, (column, color) in enumerate(
            (("above untrained", PALETTE[0]), ("above mean MFCC", PALETTE[4]))
        ):
            cells = [row[columns.index(column)] for row in rows]
            value = np.array([cell.value for cell in cells])
            below = value - np.array([cell.low for cell in cells])
            above = np.array([cell.high for cell in cells]) - value
            x = np.array([float(row[0]) for row in rows]) * 2 ** (0.06 * (2 * number - 1))
            ax.errorbar(x, value, (below, above), color=color, lw=1.2, capsize=3, marker="o",
                        markersize=4, label=column)  # fmt: skip
        ticks = [int(row[0]) for row in rows]
        ax.set_xscale("log", base=2)
        ax.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
        ax.minorticks_off()
        ax.axhline(0, color=INK, lw=0.8)
        ax.axhline(0.03, color=INK, lw=0.8, ls=":")
        ax.set_xlabel(label, fontsize=9)
        ax.tick_params(labelsize=8)
        for side in ("top", "right"):
            ax.spines[side].set_visible(False)
    axes[0].set_ylabel("gain in AUC after 20 ratings", fontsize=9)
    axes[0].set_title("measured", fontsize=9, loc="left")
    axes[1].set_title("interval expected with more to measure on", fontsize=9, loc="left")
    axes[0].legend(fontsize=8, frameon=False, loc="upper left")
    figure.savefig(folder / "pictures/size.png", metadata={"Software": None})


def instruments() -> None:
    """Draw and record what gansynth-lite plays: families, a morph, a song, and a piano.

    PIANO is a recording of a C4, here of the Salamander Grand Piano V3 (A. Holm, CC BY 3.0).
    """
    import os

    from matplotlib.figure import Figure

    from gansynth_lite import encode, export, interpolate, render, sample

    folder = PACKAGES / "gansynth-lite"
    families = ("bass", "brass", "flute", "guitar", "keyboard", "mallet", "organ", "reed",
                "string", "synth_lead", "vocal")  # fmt: skip
    each = [next(iter(sample(pitch="C3", family=f, count=1, seed=3))) for f in families]
    steps = list(interpolate(families="keyboard,string", pitch="C3", steps=9, seed=4))
    own = Audio.read(os.environ["PIANO"], mono=True).excerpt(0.0, 4.0)
    piano = encode([own], pitch="C4", seed=1)
    ladder = [
        next(iter(sample(pitch=p, instrument=piano, seed=1))) for p in ("C2", "C3", "C4", "C5")
    ]
    for name, sounds, titles, down in (
        ("families", each, families, 2),
        ("morph", steps, [f"{i / 8:.0%}" for i in range(9)], 1),
        ("piano", [own, *ladder], ["recorded: C4", "C2", "C3", "C4", "C5"], 1),
    ):
        across = -(-len(sounds) // down)
        figure = Figure(figsize=(11, 0.5 + 1.9 * down), dpi=100, layout="constrained")
        for ax, sound, title in zip(
            figure.subplots(down, across).flat, sounds, titles, strict=False
        ):
            _spectrogram(ax, sound.resampled(16_000), 4.0)
            ax.set_title(title, fontsize=9)
        for ax in figure.axes[len(sounds) :]:
            ax.set_visible(False)
        figure.savefig(folder / f"pictures/{name}.png", metadata={"Software": None})
        _fewer_colours(folder / f"pictures/{name}.png")
    export(family="reed", seed=4).save(folder / "pictures/kit.png")
    sounds_of = {"families": each, "morph": steps, "piano": [own, *ladder]}
    for name, sounds in sounds_of.items():
        joined = [one.resampled(16_000).normalized(-3).samples[0, :40_000] for one in sounds]
        Audio(np.concatenate(joined), 16_000).save(folder / f"sounds/{name}.ogg")
    render(_song(), seed=7).resampled(32_000).save(folder / "sounds/song.ogg")


def adapting() -> None:
    """Draw what further adapting brought gansynth-lite: families as asked for, and FID."""
    import json

    from matplotlib.figure import Figure

    from groove_core.values import Report

    folder = PACKAGES / "gansynth-lite"
    curve = Report.from_json(json.loads((folder / "measured/families.json").read_text()))
    batches = [int(row[0]) for row in curve.rows]
    figure = Figure(figsize=(8.5, 2.8), dpi=100, layout="constrained")
    shares, distance = figure.subplots(1, 2)
    names = {
        "heard by the other auditor, validation": "auditor, validation notes",
        "family accuracy": "classifier, test notes",
        "family accuracy, trees": "trees, test notes",
    }
    for number, (column, label) in enumerate(names.items()):
        cells = [row[curve.columns.index(column)] for row in curve.rows]
        value = np.array([cell.value for cell in cells])
        sides = np.abs(np.array([(cell.low, cell.high) for cell in cells]).T - value)
        at = np.array(batches) + 6 * (number - 1)
        shares.errorbar(at, value, sides, color=PALETTE[2 * number], lw=1.2, capsize=2,
                        marker="o", markersize=3, label=label)  # fmt: skip
    shares.set_ylim(0.6, 0.92)
    shares.axhline(0.8, color=INK, lw=0.8, ls=":")
    shares.set_ylabel("heard as the family asked for", fontsize=9)
    shares.legend(fontsize=8, frameon=False, loc="lower right")
    fid = [row[curve.columns.index("FID")] for row in curve.rows]
    distance.plot(batches, fid, color=PALETTE[0], lw=1.2, marker="o", markersize=3)
    distance.set_ylim(0, 1.1 * max(fid))
    distance.set_ylabel("FID of 400 notes", fontsize=9)
    for ax in (shares, distance):
        ax.set_xticks(batches)
        ax.set_xlabel("batches of further adapting", fontsize=9)
        ax.tick_params(labelsize=8)
        for side in ("top", "right"):
            ax.spines[side].set_visible(False)
    figure.savefig(folder / "pictures/adapting.png", metadata={"Software": None})


def melodies() -> None:
    """Draw and record what melody-rnn writes behind two bars."""
    from melody_rnn import extend

    folder = PACKAGES / "melody-rnn"
    [take] = extend("L:1/8 C4 E4 G4 - A4 G4 E4 - F4 D4 F4 A4 G4 - - -", count=1, seed=1)
    take.save(folder / "pictures/extend.png")
    sound = render(take.performed(), sample_rate=44_100)
    soundfile.write(folder / "sounds/melody.mp3", sound.samples.T, 44_100, compression_level=0.7)


def morphs() -> None:
    """Draw and record a morph of music-vae, as the first commands of its README make it."""
    from matplotlib.colors import to_rgb
    from matplotlib.figure import Figure

    from music_vae import interpolate
    from music_vae import sample as draw_pieces
    from music_vae.results import Piece

    folder = PACKAGES / "music-vae"
    end = next(iter(draw_pieces(key="C", seed=1)))
    pieces = list(interpolate("L:1/8 C4 E4 G4 - A4 G4 E4 - F4 D4 F4 A4 G4 - - -", end))
    lines = [piece.line().notes for piece in pieces]
    pitches = np.concatenate([notes[:, 2] for notes in lines])
    ends = np.array([to_rgb(PALETTE[0]), to_rgb(PALETTE[4])])
    figure = Figure(figsize=(11, 3.6), dpi=100, layout="constrained")
    shares = np.linspace(0, 1, len(pieces))
    for ax, notes, share in zip(figure.subplots(2, 4).flat, lines, shares, strict=True):
        ax.barh(notes[:, 2], notes[:, 1] - 0.15, left=notes[:, 0], height=0.9,
                color=(1 - share) * ends[0] + share * ends[1])  # fmt: skip
        for step in range(0, 33, 4):
            ax.axvline(step, color=INK, lw=0.9 if step % 16 == 0 else 0.25, zorder=0)
        ax.set(xlim=(0, 32), ylim=(pitches.min() - 1, pitches.max() + 1), xticks=[], yticks=[])
        ax.set_title(f"{share:.0%}", fontsize=9)
    (folder / "pictures").mkdir(exist_ok=True)
    (folder / "sounds").mkdir(exist_ok=True)
    figure.savefig(folder / "pictures/morph.png", metadata={"Software": None})
    sound = render(Piece.join(pieces).performed(), sample_rate=44_100)
    soundfile.write(folder / "sounds/morph.mp3", sound.samples.T, 44_100, compression_level=0.7)


def map_of_phrases() -> None:
    """Look at the page of the map of music-vae, on which a phrase plays."""
    from music_vae import map as draw_map

    (PACKAGES / "music-vae/pictures").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        page = draw_map().save(Path(folder) / "map.html")
        _play(page, PACKAGES / "music-vae/pictures/map.png")
    _fewer_colours(PACKAGES / "music-vae/pictures/map.png")


def cut_and_paste() -> None:
    """Run the notebook on what a network copies from a small corpus; keep table, plot and sound."""
    import shutil

    import nbformat
    from nbclient import NotebookClient

    folder = PACKAGES / "melody-rnn"
    book = nbformat.read(FOLDER.parent / "notebooks/cut-and-paste.ipynb", as_version=4)
    with tempfile.TemporaryDirectory() as scratch:
        NotebookClient(book, resources={"metadata": {"path": scratch}}).execute()
        for place, ending in (("measured", "json"), ("pictures", "png")):
            (folder / place).mkdir(exist_ok=True)
            shutil.copy(Path(scratch, f"cut-and-paste.{ending}"), folder / place)
        samples, rate = soundfile.read(Path(scratch, "cut-and-paste.wav"))
        soundfile.write(folder / "sounds/cut-and-paste.mp3", samples, rate, compression_level=0.7)
        print(Path(scratch, "cut-and-paste.json").read_text(encoding="utf-8"))


def _spectrogram(ax: Any, sound: Audio, duration_s: float) -> None:
    """Draw log magnitudes over a logarithmic axis of frequency."""
    samples = torch.from_numpy(sound.samples[0].copy())
    level = dsp.stft(samples, n_fft=2048, hop_samples=256).abs().clamp_min(1e-3).log().numpy()
    shown = np.geomspace(60, 7_900, 160) * 2048 / sound.sample_rate
    rows = np.stack([np.interp(shown, np.arange(len(level)), one) for one in level.T], axis=1)
    ax.imshow(rows, origin="lower", aspect="auto", cmap="magma", vmin=rows.max() - 8,
              extent=(0, sound.duration_s, 0, 160))  # fmt: skip
    marks = [100, 400, 1600, 6400]
    ax.set_yticks([160 * np.log(hz / 60) / np.log(7_900 / 60) for hz in marks], map(str, marks))
    ax.set(xlim=(0, duration_s), xticks=[0, 2, 4], facecolor="black")
    ax.tick_params(labelsize=6, length=2)


def _fewer_colours(path: Path) -> None:
    """Store a picture with a palette of 256 colours: a third of the bytes."""
    from PIL import Image

    with Image.open(path) as picture:
        few = picture.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    few.save(path, optimize=True)


def _song() -> Score:
    """Write a few bars: a melody, chords, a bass, and a beat of drum-space."""
    quarter, chords = 480, ((57, 60, 64), (53, 57, 60), (48, 52, 55), (55, 59, 62))
    tune = (76, 74, 72, 69, 72, 74, 72, 69, 67, 72, 76, 79, 79, 78, 79, 83)
    bar = 4 * quarter
    melody, backing, bass = [], [], []
    for number in range(8):
        chord = chords[number % 4]
        backing += [[number * bar, bar - 20, pitch, 60] for pitch in chord]
        bass += [[number * bar + i * quarter, quarter - 30, chord[0] - 12, 90] for i in (0, 2, 3)]
        melody += [
            [
                number * bar + i * quarter,
                quarter - 10,
                tune[(4 * number + i) % 16],
                80 + 8 * (i % 2),
            ]
            for i in range(4)
        ]
    beat = next(iter(sample(count=1, genre="rock", seed=5))).to_score()
    scale = quarter / beat.ticks_per_quarter
    drums = [
        [round(tick * scale) + two * 2 * bar, 60, pitch, velocity]
        for two in range(4)
        for tick, _, pitch, velocity in beat.tracks[0].notes.tolist()
    ]
    tracks = (
        Track(melody, "melody", 73), Track(backing, "chords", 48), Track(bass, "bass", 33),
        Track(drums, "drums", is_drum=True),
    )  # fmt: skip
    return Score(tracks, quarter, tempos=[[0, 600_000]])


@contextmanager
def _opened(page: Path, *, width: int, height: int) -> Iterator[Any]:
    """Open a page in Chromium, without a network."""
    import shutil

    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader",
                  "--enable-unsafe-swiftshader"],
        )  # fmt: skip
        size = {"width": width, "height": height}
        tab = browser.new_context(offline=True, viewport=size).new_page()
        tab.goto(page.as_uri())
        yield tab
        browser.close()


def _play(page: Path, target: Path) -> None:
    """Play what lies near the middle of a map of beats or phrases, and take a picture."""
    with _opened(page, width=1280, height=800) as tab:
        tab.wait_for_selector("body.ready")
        box = tab.locator("canvas").first.bounding_box()
        tab.mouse.click(box["x"] + 0.62 * box["width"], box["y"] + 0.52 * box["height"])
        tab.wait_for_timeout(1500)
        tab.mouse.move(5, 5)
        tab.wait_for_timeout(300)
        tab.screenshot(path=target)


def _photograph(page: Path, target: Path) -> None:
    """Click into a map of genres, and take a picture."""
    with _opened(page, width=1180, height=930) as tab:
        tab.wait_for_function("sheet !== null")
        box = tab.locator("#map").bounding_box()
        tab.mouse.click(box["x"] + 0.3 * box["width"], box["y"] + 0.3 * box["height"])
        tab.wait_for_timeout(300)
        tab.screenshot(path=target)


PICTURES = (comparison, fingerprints, steady, sample_by_sample, beats, latent_map, form, sound,
            genres, generator_curves, listener, more_songs, instruments, adapting, melodies, morphs,
            map_of_phrases, cut_and_paste)  # fmt: skip

if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    wanted = sys.argv[1:]
    for draw in PICTURES:
        if not wanted or draw.__name__ in wanted:
            draw()
