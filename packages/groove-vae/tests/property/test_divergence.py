"""What divergences must be, whatever the Gaussians."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from groove_vae.measures import MEASURES
from groove_vae.model import Gaussian, divergence

settings.register_profile("groove", deadline=None, max_examples=60, derandomize=True)
settings.load_profile("groove")

floats = st.floats(-20, 20)
scales = st.floats(0.05, 5)


def gaussians(d: int = 2):
    return st.builds(
        lambda mean, scale: Gaussian(torch.from_numpy(mean), torch.from_numpy(scale)),
        arrays("float64", (4, d), elements=floats),
        arrays("float64", (4, d), elements=scales),
    )


@given(gaussians(), gaussians(), st.sampled_from(sorted(MEASURES)))
def test_never_negative_and_nothing_against_itself(p, q, measure):
    assert (divergence(p, q, measure) >= 0).all()
    # the root of a rounding error is one of 1e-7
    assert (divergence(p, p, measure) < 1e-6).all()


@given(gaussians(), gaussians(), st.sampled_from(["jeffreys", "bhattacharyya", "wasserstein"]))
def test_symmetric_ones_are(p, q, measure):
    there, back = divergence(p, q, measure), divergence(q, p, measure)
    torch.testing.assert_close(there, back, atol=1e-6, rtol=1e-6)


@given(gaussians(), gaussians(), arrays("float64", 2, elements=floats))
def test_moving_both_changes_nothing(p, q, by):
    shift = torch.from_numpy(by)
    moved = Gaussian(p.mean + shift, p.scale), Gaussian(q.mean + shift, q.scale)
    torch.testing.assert_close(divergence(*moved), divergence(p, q), atol=1e-6, rtol=1e-6)


@given(gaussians(), st.floats(0.1, 5), st.floats(1.1, 3))
def test_further_is_more(p, by, times):
    near = Gaussian(p.mean + by, p.scale)
    far = Gaussian(p.mean + times * by, p.scale)
    for measure in MEASURES:
        assert (divergence(p, far, measure) > divergence(p, near, measure)).all()
