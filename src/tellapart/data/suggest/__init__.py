"""Which images to label next: selection on arrays. Heads, files and people are not known here."""
