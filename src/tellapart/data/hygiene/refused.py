"""Files and rows that were seen and could not be used: each kind of fault once, with what mends it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from tellapart.data.hygiene.protocol import Check, Evidence, Finding, Severity
from tellapart.data.hygiene.wording import count
from tellapart.errors import Reason
from tellapart.records import Refusal

# With a tenth of the data missing nobody knows whether the rest still stands for the whole.
_TOO_MANY = 0.1
# What was asked for is no fault.
_ASKED_FOR = (Reason.EXCLUDED,)
_HARMLESS = (Reason.DUPLICATE_ROW,)
_ROWS = (Reason.BAD_ROW, Reason.DUPLICATE_ROW, Reason.FIELD_TOO_LARGE)

_MEANING = {
    Reason.FILE_NOT_FOUND: ("no such file", "correct the paths; in a CSV they are relative to the CSV"),
    Reason.NOT_A_FILE: ("a folder or device stands there", "name files"),
    Reason.PERMISSION_DENIED: ("this user may not read it", "change their permissions"),
    Reason.READ_FAILED: ("unreadable for the system", "look at the disk or the network drive"),
    Reason.EMPTY_FILE: ("no bytes", "copy them again from the source"),
    Reason.FILE_TOO_LARGE: ("more bytes than allowed", "raise max_bytes if you trust them"),
    Reason.TOO_MANY_PIXELS: ("more pixels than allowed", "raise max_pixels if you trust them"),
    Reason.TOO_MANY_FRAMES: ("more frames than allowed", "raise max_frames if you trust them"),
    Reason.NOT_AN_IMAGE: ("the bytes are something else", "remove them, or convert them to an image"),
    Reason.UNSUPPORTED_FORMAT: ("a format that is not read", "convert them, for example to PNG"),
    Reason.TRUNCATED: ("cut off before its end", "copy them again from the source"),
    Reason.CORRUPT: ("damaged inside", "copy them again from the source"),
    Reason.NEEDS_INTENSITY: (
        "no agreed black and white",
        "declare the range of grey levels, such as intensity(percentile=1:99), with --preprocess",
    ),
    Reason.ROI_EMPTY: ("a region without area", "draw the region again"),
    Reason.BAD_ROI: ("a region outside of the image", "draw the region again"),
    Reason.BAD_ROW: ("a row that cannot be understood", "mend the rows"),
    Reason.OUTSIDE_ROOT: ("outside of the data's folder", "move them there, or name the folder of the images"),
    Reason.DUPLICATE_ROW: ("an earlier row names the same image", "leave one row for each image"),
    Reason.LABEL_CONFLICT: ("labels that contradict each other", "decide on one label for each"),
}
_UNKNOWN = ("see the message of each", "see docs/errors.md")


def find(evidence: Evidence) -> list[Finding]:
    """One finding per reason code, the most frequent first; all are errors when a tenth of what was seen is missing."""
    by_code = defaultdict(list)
    for refusal in evidence.dataset.refusals:
        if refusal.code not in _ASKED_FOR:
            by_code[refusal.code].append(refusal)
    missing = sum(len(refusals) for code, refusals in by_code.items() if code not in _HARMLESS)
    worst = Severity.ERROR if missing > _TOO_MANY * (missing + len(evidence)) else Severity.WARNING
    order = sorted(by_code, key=lambda code: (-len(by_code[code]), code))
    return [_told(code, by_code[code], Severity.NOTE if code in _HARMLESS else worst) for code in order]


def _told(code: str, refusals: Sequence[Refusal], severity: Severity) -> Finding:
    n, first = len(refusals), refusals[0].uri
    meaning, remedy = _MEANING.get(Reason(code), _UNKNOWN)
    were, example = ("was", f": {first!r}") if n == 1 else ("were", f", such as {first!r}")
    sentence = f"{count(n, _thing(code))} {were} refused as {code} ({meaning}){example}"
    return Finding("refused", severity, sentence, remedy, figures={"refused": n})


def _thing(code: str) -> str:
    return "row" if code in _ROWS else "file"


CHECK = Check("refused", "Refused files", find)
