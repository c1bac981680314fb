"""Images that keep coming: cameras, what becomes of them, and where decisions go. Knows no model and no policy."""
