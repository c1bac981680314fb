"""Count frames by walking the file's structure: nothing is decoded, and the walk stops above the ceiling."""

from __future__ import annotations

import struct


def count_gif_frames(data: bytes, stop: int) -> int:
    """Image blocks of a GIF (GIF89a specification), at most `stop`; a cut-off file counts what is there."""
    position = 13 + _palette_bytes(data, 10)
    frames = 0
    while frames < stop and position + 1 < len(data):
        block = data[position]
        if block == 0x21:  # extension: label, sub-blocks
            position = _after_sub_blocks(data, position + 2)
        elif block == 0x2C:  # image: descriptor, local palette, LZW code size, sub-blocks
            frames += 1
            position = _after_sub_blocks(data, position + 11 + _palette_bytes(data, position + 9))
        elif block == 0x3B:
            break
        else:
            position += 1
    return frames


def _palette_bytes(data: bytes, flags_at: int) -> int:
    flags = data[flags_at] if flags_at < len(data) else 0
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _after_sub_blocks(data: bytes, position: int) -> int:
    while position < len(data) and data[position]:
        position += data[position] + 1
    return position + 1


def count_tiff_pages(data: bytes, stop: int) -> int:
    """Length of the directory chain of a TIFF or BigTIFF, at most `stop`; a chain that bites its tail ends there."""
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in (b"+\0", b"\0+")
    count_format, offset_format = (order + "Q", order + "Q") if big else (order + "H", order + "I")
    entry_bytes, first = (20, 8) if big else (12, 4)
    seen: set[int] = set()
    try:
        (offset,) = struct.unpack_from(offset_format, data, first)
        while offset and offset not in seen and len(seen) < stop:
            seen.add(offset)
            (entries,) = struct.unpack_from(count_format, data, offset)
            (offset,) = struct.unpack_from(
                offset_format, data, offset + struct.calcsize(count_format) + entries * entry_bytes
            )
    except struct.error:
        pass  # the chain leads out of the file: what was counted is what is there
    return max(len(seen), 1)
