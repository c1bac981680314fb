"""Groups that nobody named: clusters of vectors, what to call them, and where they lie on a map; arrays and names only."""
