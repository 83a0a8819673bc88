"""Sound inside a page."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt

from groove_core.values.page import data_url
from groove_core.values.sound import soundfiles

__all__ = ["audio_url"]


def audio_url(samples: npt.NDArray[np.float32], sample_rate: int, *, small: bool = False) -> str:
    """Return an address that holds sound [shape=(channels, frames) or (frames,)].

    It is a WAV file, or an MP3 file of a tenth of the size.
    """
    samples = np.atleast_2d(samples)
    file = io.BytesIO()
    if not small:
        soundfiles.write(file, "wav", samples, sample_rate)
        return data_url("audio/wav", file.getvalue())
    import soundfile

    soundfile.write(
        file, samples.T, sample_rate, format="MP3", subtype="MPEG_LAYER_III",
        bitrate_mode="CONSTANT", compression_level=0.9,
    )  # fmt: skip
    return data_url("audio/mpeg", file.getvalue())
