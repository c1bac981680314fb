"""What a file is, by its first bytes alone: the name of a file says nothing."""

from __future__ import annotations

import re

from tellapart.errors import ImageError, Reason

FORMATS = ("JPEG", "PNG", "WebP", "BMP", "GIF", "TIFF", "AVIF")

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

# (offset, bytes, what it is) of images we do not read …
_OTHER_IMAGES = (
    (0, b"8BPS", "a Photoshop file"),
    (0, b"\xff\x0a", "a JPEG XL image"),
    (0, b"\0\0\0\x0cJXL ", "a JPEG XL image"),
    (0, b"\0\0\0\x0cjP  ", "a JPEG 2000 image"),
    (0, b"\xff\x4f\xff\x51", "a JPEG 2000 image"),
    (0, b"\0\0\1\0", "a Windows icon"),
    (0, b"\x76\x2f\x31\x01", "an OpenEXR image"),
    (0, b"%!PS", "a PostScript file"),
    (0, b"SIMPLE  =", "a FITS image"),
    (0, b"qoif", "a QOI image"),
    (0, b"DDS ", "a DirectDraw surface"),
    (0, b"#?RADIANCE", "a Radiance HDR image"),
    (0, b"FUJIFILMCCD-RAW", "a camera raw file"),
    (0, b"IIU\0", "a camera raw file"),
    (128, b"DICM", "a DICOM file"),
)
# … and of files that are no image at all.
_OTHER_FILES = (
    (0, b"%PDF", "a PDF document"),
    (0, b"PK\x03\x04", "a ZIP archive (or an Office document)"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (0, b"Rar!", "a RAR archive"),
    (0, b"\x89HDF\r\n", "an HDF5 file"),
    (0, b"\x93NUMPY", "a NumPy array"),
    (0, b"PAR1", "a Parquet file"),
    (0, b"\x1aE\xdf\xa3", "a Matroska video"),
    (0, b"\x7fELF", "a program"),
    (0, b"MZ", "a program"),
    (0, b"version https://git-lfs", "a Git LFS pointer; the file itself was not fetched (git lfs pull)"),
    (0, b"{", "JSON or other text"),
)
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
_AVIF_BRANDS = (b"avif", b"avis")


def sniff(data: bytes) -> str:
    """The format's name, one of `FORMATS`.

    Raises:
        ImageError: unsupported_format for images that are not read here (SVG, HEIC, …), not_an_image for anything else;
            the sentence names what the file is where its first bytes tell.
    """
    if data[:3] == b"\xff\xd8\xff":
        return "JPEG"
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return "PNG"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return "GIF"
    if data[:4] in _TIFF:
        return "TIFF"
    if data[:2] == b"BM":
        return "BMP"
    if data[4:8] == b"ftyp" and _is_avif(data):
        return "AVIF"
    raise _refusal(data)


def _is_avif(data: bytes) -> bool:
    return any(brand in _AVIF_BRANDS for brand in _brands(data))


def _brands(data: bytes) -> list[bytes]:
    """Major and compatible brands of an ISO media file (ISO/IEC 14496-12, 4.3)."""
    end = min(int.from_bytes(data[:4], "big"), 512)
    return [data[8:12], *(data[i : i + 4] for i in range(16, end, 4))]


def _refusal(data: bytes) -> ImageError:
    reads = ", ".join(FORMATS)
    for table, reason in ((_OTHER_IMAGES, Reason.UNSUPPORTED_FORMAT), (_OTHER_FILES, Reason.NOT_AN_IMAGE)):
        for offset, magic, name in table:
            if data[offset : offset + len(magic)] == magic:
                return ImageError(reason, f"this is {name}; tellapart reads {reads}")
    if data[4:8] == b"ftyp":
        return _media_refusal(data, reads)
    if data[:4] == b"RIFF":
        return ImageError(Reason.NOT_AN_IMAGE, f"this is a sound or video file; tellapart reads {reads}")
    return _text_refusal(data, reads)


def _media_refusal(data: bytes, reads: str) -> ImageError:
    if any(brand in _HEIF_BRANDS for brand in _brands(data)):
        return ImageError(
            Reason.UNSUPPORTED_FORMAT, f"this is a HEIC image; save it as JPEG first (tellapart reads {reads})"
        )
    return ImageError(Reason.NOT_AN_IMAGE, f"this is a video file; tellapart reads {reads}")


def _text_refusal(data: bytes, reads: str) -> ImageError:
    start = data[:4096].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith(b"<") and re.search(rb"<svg[\s>]", start):
        return ImageError(
            Reason.UNSUPPORTED_FORMAT, f"this is an SVG drawing; export it as PNG first (tellapart reads {reads})"
        )
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body", b"<script")):
        return ImageError(Reason.NOT_AN_IMAGE, f"this is an HTML page (a failed download?); tellapart reads {reads}")
    if start.startswith(b"<"):
        return ImageError(Reason.NOT_AN_IMAGE, f"this is an XML file; tellapart reads {reads}")
    if re.match(rb"p[1-7][\s#]", start):
        return ImageError(Reason.UNSUPPORTED_FORMAT, f"this is a Netpbm image; tellapart reads {reads}")
    if not any(data[:4096]):
        return ImageError(
            Reason.NOT_AN_IMAGE, "the file holds only zero bytes; it was probably never written to the end"
        )
    if data.startswith(tuple(magic[:n] for magic in _MAGICS for n in range(2, len(magic)))) and len(data) < 16:
        return ImageError(Reason.TRUNCATED, f"the file ends inside its first bytes ({len(data)} bytes)")
    return ImageError(
        Reason.NOT_AN_IMAGE, f"not an image: the first bytes are {data[:8].hex(' ')}; tellapart reads {reads}"
    )


_MAGICS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF____WEBP", b"GIF89a", b"II*\0", b"MM\0*")
