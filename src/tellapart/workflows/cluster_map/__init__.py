"""The map of clusters as one HTML page: what stands in it, its pictures, its style and its script."""
