"""What is said of sound that comes in and cannot be passed on; the words of all."""

from __future__ import annotations

MOST_AAC_CHANNELS = 6
"""5.1. PyAV is not safe with the layouts of more."""

_NAMES = {
    "aac_latm": "AAC in LATM",
    "ac3": "AC-3",
    "adpcm_g726": "G.726",
    "adpcm_g726le": "G.726",
    "eac3": "E-AC-3",
    "flac": "FLAC",
    "mp2": "MP2",
    "mp3": "MP3",
    "speex": "Speex",
    "vorbis": "Vorbis",
}
_MEND = "set the encoder to AAC-LC, at most 2 channels"


def left_out(codec: str) -> str:
    """Return the words for sound that is encoded in a way that nobody here reads.

    Args:
        codec: As FFmpeg names it, or in words; empty where it is unknown.
    """
    name = _NAMES.get(codec, codec) or "of an unknown codec"
    return f"its sound is {name}, which is left out: {_MEND}"


NOT_OF_ITS_TIME = (
    "its sound is left out: its times are not those of the pictures; "
    "begin the encoder anew"
)
"""Of sound that never becomes due."""
