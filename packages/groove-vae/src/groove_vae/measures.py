"""How the divergence of two Gaussians is measured: names, titles and units."""

from __future__ import annotations

from typing import Literal

__all__ = ["MEASURES", "Measure"]

Measure = Literal["kl", "reverse", "jeffreys", "bhattacharyya", "wasserstein"]
MEASURES: dict[Measure, tuple[str, str]] = {
    "kl": ("D_KL(played || programmed)", "nats"),
    "reverse": ("D_KL(programmed || played)", "nats"),
    "jeffreys": ("Jeffreys", "nats"),
    "bhattacharyya": ("Bhattacharyya", "nats"),
    "wasserstein": ("2-Wasserstein", "latent units"),
}
