"""How the divergence of two Gaussians is measured: names, titles and units."""

from __future__ import annotations

__all__ = ["MEASURES"]

MEASURES = {
    "kl": ("D_KL(played || programmed)", "nats"),
    "reverse": ("D_KL(programmed || played)", "nats"),
    "jeffreys": ("Jeffreys", "nats"),
    "bhattacharyya": ("Bhattacharyya", "nats"),
    "wasserstein": ("2-Wasserstein", "latent units"),
}
