"""Sound inside a page."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt

from groove_core.values.page import data_url
from groove_core.values.sound import soundfiles

__all__ = ["audio_url", "mp3"]


def audio_url(samples: npt.NDArray[np.float32], sample_rate: int, *, small: bool = False) -> str:
    """Return an address that holds sound [shape=(channels, frames) or (frames,)].

    It is a WAV file, or an MP3 file of a tenth of the size.
    """
    if small:
        return data_url("audio/mpeg", mp3(samples, sample_rate))
    file = io.BytesIO()
    soundfiles.write(file, "wav", np.atleast_2d(samples), sample_rate)
    return data_url("audio/wav", file.getvalue())


def mp3(
    samples: npt.NDArray[np.float32],
    sample_rate: int,
    *,
    compression: float = 0.9,
    variable: bool = False,
) -> bytes:
    """Return the bytes of an MP3 file of sound [shape=(channels, frames) or (frames,)].

    Parameters
    ----------
    samples : float array
    sample_rate : int [Hz]
    compression : float [0 to 1]
        1 is the smallest file; at 22,050 Hz, a constant rate of 0.9 is 24 kbit/s.
    variable : bool
        Whether the bit rate follows the sound. The file then says how much silence the coder
        put before it, so that it is decoded to as many frames as it had.
    """
    import soundfile

    file = io.BytesIO()
    soundfile.write(
        file, np.atleast_2d(samples).T, sample_rate, format="MP3", subtype="MPEG_LAYER_III",
        bitrate_mode="VARIABLE" if variable else "CONSTANT", compression_level=compression,
    )  # fmt: skip
    return file.getvalue()
