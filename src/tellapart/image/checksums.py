"""PNG carries a checksum per chunk, and Pillow skips those of the pixels: a flipped bit would give a wrong picture."""

from __future__ import annotations

import zlib

# What decides pixels; damage elsewhere (dates, comments) costs no image.
_CHECKED = frozenset({b"IHDR", b"PLTE", b"IDAT", b"tRNS", b"fdAT", b"fcTL"})


def expect_png_checksums(data: bytes) -> None:
    """Compare the CRC of every chunk that decides pixels (PNG specification, 5.3); stops where the file is cut off.

    Raises:
        OSError: a checksum does not match.
    """
    view = memoryview(data)
    position = 8
    while position + 12 <= len(data):
        length = int.from_bytes(view[position : position + 4], "big")
        end = position + 8 + length
        kind = bytes(view[position + 4 : position + 8])
        if end + 4 > len(data) or kind == b"IEND":
            return
        if kind in _CHECKED and zlib.crc32(view[position + 4 : end]) != int.from_bytes(view[end : end + 4], "big"):
            raise OSError(f"the checksum of its {kind.decode()} chunk at byte {position:,} does not match")
        position = end + 4
