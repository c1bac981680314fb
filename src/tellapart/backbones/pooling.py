"""From a feature map to columns of an embedding, as ONNX nodes: what is there, how unevenly, and where."""

from __future__ import annotations

from tellapart.backbones.graph import GraphBuilder


def moments(g: GraphBuilder, x: str) -> list[str]:
    """Mean, standard deviation and maximum over all cells, each (n, c): a small defect shows in the last two."""
    mean, most = mean_and_most(g, x)
    return [mean, deviation(g, x), most]


def deviation(g: GraphBuilder, x: str) -> str:
    """Standard deviation over all cells (n, c)."""
    apart = g.add("Sub", x, g.add("ReduceMean", x, g.ints(2, 3), keepdims=1))
    variance = g.add("ReduceMean", g.add("Mul", apart, apart), g.ints(2, 3), keepdims=0)
    return g.add("Sqrt", g.add("Add", variance, g.floats(1e-8)))


def mean_and_most(g: GraphBuilder, x: str) -> list[str]:
    """Mean and maximum over all cells, each (n, c)."""
    return [g.add(operator, x, g.ints(2, 3), keepdims=0) for operator in ("ReduceMean", "ReduceMax")]


def grid(g: GraphBuilder, x: str, size: int) -> str:
    """The cells averaged onto size×size places (n, c · size²), so that the embedding knows where things are."""
    places = g.add(
        "Resize", x, "", "", g.ints(size, size), axes=[2, 3], mode="linear", antialias=1,
        coordinate_transformation_mode="half_pixel",
    )  # fmt: skip
    return g.add("Flatten", places, axis=1)


def quarters(g: GraphBuilder, x: str) -> str:
    """Means of the four quarters of the map (n, 4 · c): left and right of the upper half, then of the lower.

    Halves of an odd number of cells share the one in the middle, so a single cell is enough (torch's
    `adaptive_avg_pool2d(x, 2)`, but for the order). Exact, where ONNX Runtime's resizing with antialias is its own.
    """
    parts = [half for part in halves(g, x, axis=2) for half in halves(g, part, axis=3)]
    return g.add("Concat", *[g.add("ReduceMean", half, g.ints(2, 3), keepdims=0) for half in parts], axis=1)


def halves(g: GraphBuilder, x: str, axis: int) -> list[str]:
    """The first and the second half along an axis; of an odd number both have the one in the middle."""
    length = g.add("Shape", x, start=axis, end=axis + 1)
    low = g.add("Div", length, g.ints(2))
    high = g.add("Sub", length, low)
    first = g.add("Slice", x, g.ints(0), high, g.ints(axis))
    return [first, g.add("Slice", x, low, length, g.ints(axis))]
