"""How good generated notes are, in numbers: pitch, variety, likeness, novelty, timbre.

Those of Engel et al., "GANSynth" (ICLR 2019, 1902.08710, section 4), which never came with code,
and some that need no trained judge. Intervals are of the bootstrap over notes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from gansynth_lite.pitch import hz
from groove_core.dsp import LogMel, power, power_to_db, stft
from groove_core.errors import InputError
from groove_core.learning import bootstrap, interval, mean, statistics, wilson
from groove_core.values import Estimate

__all__ = [
    "apart", "distances", "diversity", "inception_score", "log_mel", "ndb", "nearest",
    "pitch_accuracy", "pitch_entropy", "signal_to_noise", "smoothness", "spectral_convergence",
    "timbre", "timbre_ratio",
]  # fmt: skip

Floats = npt.NDArray[np.float64]

BANDS, FRAMES = 64, 16
SIGNIFICANT = 1.96
"""Standard errors, for a level of .05."""
PARTIALS, LEVELS = 8, 32
FAINT = 1e-5
"""Part of the power that does not count any more: -50 dB."""


# from the pitch classifier -----------------------------------------------------------


def pitch_accuracy(probabilities: Tensor, pitches: Tensor, low: int) -> Estimate:
    """Give the share of notes whose most probable pitch is the wanted one.

    Parameters
    ----------
    probabilities : Tensor [shape=(n, pitches)]
        Of pitches `low`, `low` + 1 ...
    pitches : Tensor [shape=(n,), MIDI]
        Those wanted.
    """
    right = int((probabilities.argmax(dim=1) + low == pitches).sum())
    return wilson(right, len(pitches))


def pitch_entropy(probabilities: Tensor) -> Estimate:
    """Give how unsure the classifier is of a note's pitch, on average [nats].

    The mean over notes of the entropy of p(pitch | note), as the paper's "entropy of the output
    distribution": 0 is sure, log 61 = 4.1 knows nothing. Not that of the mean of p, which tells
    of the pitches asked for.

    Examples
    --------
    >>> round(pitch_entropy(torch.full((3, 61), 1 / 61)).value, 2)
    4.11
    """
    return mean(_entropy(probabilities.double().numpy()))


def inception_score(probabilities: Tensor) -> Estimate:
    """Give exp E KL(p(y | x) || p(y)): how many classes are told apart, at most all of them.

    Salimans et al., "Improved Techniques for Training GANs" (1606.03498, section 4).

    Examples
    --------
    >>> round(inception_score(torch.eye(61)).value, 1)
    61.0
    """
    p = probabilities.double().numpy()
    draws = bootstrap(len(p)) / len(p)
    # E KL(p(y | x) || p(y)) = H(E p) - E H(p)
    return interval(np.exp(_entropy(draws @ p) - draws @ _entropy(p)))


def _entropy(p: Floats) -> Floats:
    entropy: Floats = -(p * np.log(p.clip(1e-300))).sum(axis=-1)
    return entropy


# from spectrograms -------------------------------------------------------------------


def log_mel(samples: Tensor, sample_rate: int) -> Tensor:
    """Describe notes by levels of bands in parts of their time, against their loudest point.

    Parameters
    ----------
    samples : Tensor [shape=(n, samples)]

    Returns
    -------
    Tensor [shape=(n, 64, 16), dB]
        0 at the loudest point of the spectrogram of each, -80 and less lifted to -80.
    """
    feature = LogMel(sample_rate=sample_rate, n_fft=1024, hop_samples=256, n_mels=BANDS)
    level = feature(samples)
    level = level - level.amax(dim=(1, 2), keepdim=True)
    shortened: Tensor = F.adaptive_avg_pool1d(level, FRAMES)
    return shortened


def apart(some: Tensor, other: Tensor) -> Tensor:
    """Give the root mean square difference of descriptions, one by one [shape=(n,), dB]."""
    rms: Tensor = (some - other).flatten(1).square().mean(dim=1).sqrt()
    return rms


def nearest(some: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Return how far each note is from the nearest known one [shape=(n,), dB], and which that is.

    Parameters
    ----------
    some, known : Tensors [shape=(n, ...) and (m, ...)]
        Of `log_mel`. Of equal ones the distance is 0 exactly.
    """
    away, which = statistics.nearest(some, known)
    return away / some[0].numel() ** 0.5, which


def distances(some: Tensor, others: Tensor) -> Tensor:
    """Return `apart` of each of some and each of others [shape=(n, m), dB]."""
    between: Tensor = statistics.distances(some, others) / some[0].numel() ** 0.5
    return between


def diversity(log_mels: Tensor, pitches: Tensor) -> Estimate:
    """Give how unlike each other notes of one pitch are: the mean over pairs [dB].

    A generator that has one instrument only is at 0, however right its pitches.

    Parameters
    ----------
    log_mels : Tensor [shape=(n, ...), dB]
    pitches : Tensor [shape=(n,)]

    Returns
    -------
    Estimate
        NaN where no two notes have one pitch.
    """
    n = len(log_mels)
    draws = bootstrap(n)
    total, pairs = np.zeros(len(draws)), np.zeros(len(draws))
    for pitch in pitches.unique():
        mine = torch.nonzero(pitches == pitch)[:, 0]
        between = distances(log_mels[mine], log_mels[mine]).double().numpy()
        weights = draws[:, mine.numpy()]
        total += ((weights @ between) * weights).sum(axis=1)
        # A note drawn twice is no pair.
        pairs += weights.sum(axis=1) ** 2 - (weights**2).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return interval(total / pairs)


def ndb(train: Tensor, fake: Tensor, *, bins: int = 50, seed: int = 0) -> int:
    """Give the number of statistically different bins.

    Richardson and Weiss, "On GANs and GMMs" (1805.12462, section 2): `train` is divided by
    k-means; a bin is different if the two-proportion z-test at .05 says that as many of `fake`
    do not fall there by chance. Data of the same kind have 5 % of them. The more notes there are
    the finer it tells, so that only sets of one size compare: that a bin with a share p of
    `train` stays empty is no chance from about 4 / p notes on.

    Parameters
    ----------
    train, fake : Tensors [shape=(n, ...) and (m, ...)]
        Of `log_mel`, as in GANSynth.
    bins : int
    seed : int

    Raises
    ------
    InputError
        If there are fewer notes to train with than bins.
    """
    from sklearn.cluster import KMeans

    if len(train) < bins or not len(fake):
        raise InputError(
            f"{len(train)} notes cannot be divided into {bins} bins.", hint="Give more notes."
        )
    x, y = (one.flatten(1).float().numpy() for one in (train, fake))
    found = KMeans(bins, n_init=4, random_state=seed).fit(x)
    p = np.bincount(found.labels_, minlength=bins) / len(x)
    q = np.bincount(found.predict(y), minlength=bins) / len(y)
    pooled = (len(x) * p + len(y) * q) / (len(x) + len(y))
    error = np.sqrt(pooled * (1 - pooled) * (1 / len(x) + 1 / len(y)))
    return int((np.abs(p - q) > SIGNIFICANT * error).sum())


def smoothness(path: Tensor) -> float:
    """Give the largest step of a path over its mean step: 1 is even, as many as steps a jump.

    Parameters
    ----------
    path : Tensor [shape=(steps, ...), dB]
        Of `log_mel`.
    """
    steps = apart(path[1:], path[:-1])
    return float(steps.max() / steps.mean().clamp_min(1e-12))


# timbre ------------------------------------------------------------------------------


def timbre(samples: Tensor, pitches: Tensor, sample_rate: int) -> Tensor:
    """Describe what stays of an instrument when its pitch changes.

    The levels of the first 8 partials, in the power of the whole note, and the level in 32 parts
    of its time, against the loudest one. For 20 programs of a soundfont at six pitches over 40
    semitones, distances across pitches are 0.40 of those across programs; with MFCC, which stay
    where they are while partials move, 1.35.

    Parameters
    ----------
    samples : Tensor [shape=(n, samples)]
    pitches : Tensor [shape=(n,), MIDI]

    Returns
    -------
    Tensor [shape=(n, 8 + 32)]
        In dB, scaled so that both parts count the same in Euclidean distances; -50 dB and less
        are about the same.
    """
    n_fft = 4096
    spectrum = power(stft(samples, n_fft=n_fft, hop_samples=n_fft // 4)).mean(dim=2)
    bins = torch.arange(spectrum.shape[1], device=samples.device) * (sample_rate / n_fft)
    number = (bins / hz(pitches.to(samples))[:, None]).round()
    partials = torch.stack(
        [(spectrum * (number == k)).sum(dim=1) for k in range(1, PARTIALS + 1)], dim=1
    )
    parts = F.adaptive_avg_pool1d(samples.square()[:, None], LEVELS)[:, 0]
    tiny = torch.finfo(samples.dtype).tiny
    inner = partials / partials.sum(dim=1, keepdim=True).clamp_min(tiny)
    outer = parts / parts.amax(dim=1, keepdim=True).clamp_min(tiny)
    return torch.cat(
        [
            power_to_db(inner + FAINT) / (2 * PARTIALS) ** 0.5,
            power_to_db(outer + FAINT) / (2 * LEVELS) ** 0.5,
        ],
        dim=1,
    )


def timbre_ratio(timbres: Tensor) -> Estimate:
    """Give the distance across the pitches of an instrument over that across instruments.

    Below 1, an instrument is more like itself at other pitches than like others at its own; about
    1, a latent code says nothing beyond one note.

    Parameters
    ----------
    timbres : Tensor [shape=(instruments, pitches, numbers)]
        Of `timbre`; at least two of both.

    Returns
    -------
    Estimate
        Its interval is of the bootstrap over instruments.

    Raises
    ------
    InputError
        If there are fewer.
    """
    n, m, _ = timbres.shape
    if min(n, m) < 2:
        raise InputError(
            f"{n} instruments at {m} pitches cannot be compared.", hint="Give two of both."
        )
    between = [torch.stack([statistics.distances(one, one) for one in some])
               for some in (timbres, timbres.transpose(0, 1))]  # fmt: skip
    within = between[0].sum(dim=(1, 2)) / (m * (m - 1))
    across = between[1].mean(dim=0).double().numpy()
    draws = bootstrap(n)
    pairs = draws.sum(axis=1) ** 2 - (draws**2).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        same = draws @ within.double().numpy() / draws.sum(axis=1)
        return interval(same / (((draws @ across) * draws).sum(axis=1) / pairs))


# representations ---------------------------------------------------------------------


def signal_to_noise(samples: Tensor, rebuilt: Tensor) -> Tensor:
    """Give the level of notes against that of the difference [shape=(n,), dB]."""
    wanted, wrong = samples.double(), (rebuilt - samples).double()
    tiny = torch.finfo(torch.float64).tiny
    return power_to_db(wanted.square().sum(1), floor=tiny) - power_to_db(
        wrong.square().sum(1), floor=tiny
    )


def spectral_convergence(samples: Tensor, rebuilt: Tensor) -> Tensor:
    """Give the difference of magnitude spectrograms over the whole [shape=(n,)]; 0 is equal.

    Arık, Jun and Diamos, "Fast Spectrogram Inversion using Multi-head Convolutional Neural
    Networks" (1808.06719, eq. 2).
    """
    whole, other = (stft(one).abs() for one in (samples, rebuilt))
    norm = torch.linalg.matrix_norm
    share: Tensor = norm(other - whole) / norm(whole).clamp_min(torch.finfo(whole.dtype).tiny)
    return share
