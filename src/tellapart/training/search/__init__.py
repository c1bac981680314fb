"""Which recipe does best on this data."""
