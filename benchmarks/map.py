"""How fast patterns are laid out by t-SNE, and how well: ours beside scikit-learn's.

Both are run once, one after the other, on the codes of the shipped patterns, with the same
perplexity, start, seed and number of threads.

    OMP_NUM_THREADS=2 python benchmarks/map.py
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
import torch
from pairs import seconds
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from drum_space.data import open_patterns
from drum_space.space import load
from groove_core.learning import trustworthiness, tsne

PERPLEXITY, SEED = 30, 1


def measure(name: str, lay_out: Callable[[], np.ndarray], codes: np.ndarray) -> float:
    """Time a layout once, print how good it is, and give the seconds."""
    found = []
    took = seconds(lambda: found.append(lay_out()))
    trust, continuity = trustworthiness(codes, found[0]), trustworthiness(found[0], codes)
    print(f"{name:14} {took:6.1f} s  trustworthiness {trust:.4f}  continuity {continuity:.4f}")
    return took


def main() -> None:
    """Lay the same codes out twice."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patterns", type=int, default=33_000)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    network, _ = load("acai", None, "cpu")
    with torch.no_grad():
        codes = network.encode(torch.from_numpy(open_patterns().hits)).double().numpy()
    codes = np.random.default_rng(SEED).permutation(codes)[: options.patterns]
    peer = TSNE(
        perplexity=PERPLEXITY, init="pca", random_state=SEED, n_jobs=options.threads
    ).fit_transform
    print(f"{len(codes)} codes, {options.threads} threads")
    # Threads of scikit-learn's gradient are those of OpenMP, whatever n_jobs says.
    with threadpool_limits(options.threads):
        ours_s = measure(
            "drum-space",
            lambda: tsne(codes, perplexity=PERPLEXITY, seed=SEED, n_jobs=options.threads),
            codes,
        )
        peer_s = measure("scikit-learn", lambda: peer(codes), codes)
    print(f"{peer_s / ours_s:.1f} times as fast")


if __name__ == "__main__":
    main()
