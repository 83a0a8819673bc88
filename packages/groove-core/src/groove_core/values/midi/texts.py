"""Names and lyrics of MIDI files, whose encoding hardly any file states."""

from __future__ import annotations

import codecs
import contextlib
import re
from collections.abc import Iterable

__all__ = ["declared_encoding", "decode_text", "encode_text"]

_DECLARED = re.compile(rb"\{@([A-Za-z0-9]+)\}")
_DECLARATIONS = {b"LATIN": "cp1252", b"LATIN1": "cp1252", b"JP": "cp932", b"UTF-8": "utf-8"}


def declared_encoding(payloads: Iterable[bytes]) -> str | None:
    """Find the encoding that a file declares for its texts, such as ``{@JP}`` (RP-026)."""
    for payload in payloads:
        found = _DECLARED.match(payload)
        if found and found[1].upper() in _DECLARATIONS:
            return _DECLARATIONS[found[1].upper()]
    return None


def decode_text(payload: bytes, declared: str | None = None) -> str:
    """Decode a name or a lyric, of whose encoding MIDI files mostly say nothing.

    It is the declared one, UTF-16, UTF-8, Shift-JIS where that makes Japanese of it, or else
    Windows' Latin-1.
    """
    encodings = [declared, "utf-8"]
    if payload.startswith(codecs.BOM_UTF8):
        encodings = ["utf-8-sig"]
    elif payload.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    elif payload[1::2].count(0) * 2 > len(payload[1::2]):
        encodings = [declared, "utf-16-le"]
    elif payload[::2].count(0) * 2 > len(payload[::2]):
        encodings = [declared, "utf-16-be"]
    for encoding in filter(None, encodings):
        try:
            return payload.decode(encoding).rstrip("\0")
        except UnicodeDecodeError:
            continue
    with contextlib.suppress(UnicodeDecodeError):
        japanese = payload.decode("cp932")
        if _JAPANESE.search(japanese) or _FREQUENT_KANJI.search(payload):
            return japanese.rstrip("\0")
    with contextlib.suppress(UnicodeDecodeError):
        return payload.decode("cp1252").rstrip("\0")
    return payload.decode("latin-1").rstrip("\0")


def encode_text(text: str, declared: str | None = None) -> bytes:
    """Encode a name or a lyric so that `decode_text` reads it, whatever the file declares."""
    payload = text.encode("utf-8", "surrogateescape")
    if declared is None or decode_text(payload, declared) == text:
        return payload
    with contextlib.suppress(UnicodeEncodeError):
        return text.encode(declared)
    return codecs.BOM_UTF8 + payload


_JAPANESE = re.compile("[\u3040-\u30ff]")  # kana
_FREQUENT_KANJI = re.compile(rb"(?:[\x88-\x98][\x40-\x7e\x80-\xfc]){2}")
"""Two ideographs of the first level of JIS in a row; accented Latin-1 rarely looks like that."""
