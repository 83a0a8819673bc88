"""Signal processing on batches of torch tensors, equal to librosa in numbers.

Everything runs on any device and, where that makes sense, is differentiable. Functions
take tensors of shape ``(..., samples)`` or ``(..., bins, frames)``; features take Audio, too.
"""

from groove_core.dsp.decibels import below_maximum, db_to_power, power_to_db
from groove_core.dsp.feature import Feature
from groove_core.dsp.features import (
    MFCC,
    PCEN,
    HarmonicPercussive,
    InstantaneousFrequency,
    LogMel,
    Mel,
)
from groove_core.dsp.griffin_lim import griffin_lim
from groove_core.dsp.hpss import hpss, running_median, softmask
from groove_core.dsp.instfreq import (
    from_instantaneous_frequency,
    from_mel_instantaneous_frequency,
    to_instantaneous_frequency,
    to_mel_instantaneous_frequency,
)
from groove_core.dsp.mel import hz_to_mel, mel_filters, mel_to_hz, mel_to_power, pcen
from groove_core.dsp.mfcc import cepstrum, cepstrum_matrix, deltas
from groove_core.dsp.stft import framed, istft, power, spectrum, stft
from groove_core.dsp.windows import WindowedFeatures

__all__ = [
    "MFCC",
    "PCEN",
    "Feature",
    "HarmonicPercussive",
    "InstantaneousFrequency",
    "LogMel",
    "Mel",
    "WindowedFeatures",
    "below_maximum",
    "cepstrum",
    "cepstrum_matrix",
    "db_to_power",
    "deltas",
    "framed",
    "from_instantaneous_frequency",
    "from_mel_instantaneous_frequency",
    "griffin_lim",
    "hpss",
    "hz_to_mel",
    "istft",
    "mel_filters",
    "mel_to_hz",
    "mel_to_power",
    "pcen",
    "power",
    "power_to_db",
    "running_median",
    "softmask",
    "spectrum",
    "stft",
    "to_instantaneous_frequency",
    "to_mel_instantaneous_frequency",
]
