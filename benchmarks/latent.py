"""How fast music-vae starts and writes, in one run.

    OMP_NUM_THREADS=1 python benchmarks/latent.py            # all
    OMP_NUM_THREADS=1 python benchmarks/latent.py writing    # only this

start    the whole process of `sample` for one melody, against `import torch`: see `pairs`
writing  how long each model takes to draw one piece, and 1,000 of those of two bars

To start, the packaged weights are taken; weights of one's own are compared with their card, which
takes a second more. To write, networks have the sizes of the packaged ones and new weights: speed
is the same.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import torch
from pairs import pair, show, times
from ratios import process

from music_vae.model import MusicVAE
from music_vae.results import Piece
from music_vae.training import PRESETS
from music_vae.writing import drawn


def start(options: argparse.Namespace) -> Iterator[dict]:
    """Compare the whole process of one melody with the import of PyTorch."""
    groove = str(Path(sys.executable).with_name("groove"))
    ours = process(groove, "run", "music-vae", "sample", "--count", "1", "--format", "mid")
    torch_alone = process(sys.executable, "-c", "import torch")
    name = "start: groove run music-vae sample / import torch"
    yield pair(name, ours, torch_alone, options.rounds)


def writing(options: argparse.Namespace) -> Iterator[dict]:
    """Time the drawing of pieces, from their codes to the values that the verbs return."""
    for name, settings in PRESETS.items():
        network = MusicVAE(**settings.network).eval()
        for count in (1, 1000) if settings.bars == 2 else (1,):
            yield {
                "name": f"writing: {count:,} of {name}",
                "ours, s": times(partial(draw, network, count), options.rounds),
            }


def draw(network: MusicVAE, count: int) -> list[Piece]:
    """Draw pieces as `sample` does."""
    generator = torch.Generator().manual_seed(1)
    codes = partial(network.prior.draw, generator=generator)
    made = drawn(network, codes, count, 0.5, generator, None)
    return [Piece(events, network.voices) for events in made]


PARTS = {part.__name__: part for part in (start, writing)}


def main() -> None:
    """Run the benchmarks that were asked for and print them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("only", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if unknown := sorted({*options.only} - {*PARTS}):
        parser.error(f"{unknown[0]!r} is not one of {', '.join(PARTS)}")
    rows = [row for name in options.only or PARTS for row in PARTS[name](options)]
    show("Starting and drawing", rows, as_json=options.json)


if __name__ == "__main__":
    main()
