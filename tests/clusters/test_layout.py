"""Maps keep near things near, are the same again, and take any number of points."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.clusters.clouds import clouds

from tellapart.clusters import layout
from tellapart.clusters.find import find_clusters
from tellapart.clusters.layout import Layout, balanced, lay_out
from tellapart.clusters.points import reduced
from tellapart.clusters.typical import distances, typical, unusual
from tellapart.errors import MissingExtra, Reason, SettingsError


def apart(xy: np.ndarray, names: list[str]) -> float:
    """Share of points whose nearest neighbour has the same name."""
    far = np.linalg.norm(xy[:, None] - xy[None], axis=2) + np.eye(len(xy)) * 1e9
    return float(np.mean([names[row] == names[int(near)] for row, near in enumerate(far.argmin(axis=1))]))


@pytest.mark.parametrize("kind", ["tsne", "pca"])
def test_a_map_keeps_clouds_apart(kind: Layout) -> None:
    vectors, names = clouds(30, 30, 30)
    found = lay_out(reduced(vectors), kind)
    assert (found.kind, found.how) == (
        (kind, "t-SNE") if kind == "tsne" else (kind, "the first two principal components")
    )
    assert apart(found.xy, names) == 1.0
    assert found.xy.dtype == np.float32
    assert float(np.abs(found.xy).max()) == pytest.approx(1.0)


def test_the_same_seed_gives_the_same_map() -> None:
    points = reduced(np.random.default_rng(0).normal(size=(60, 10)))
    assert np.array_equal(lay_out(points, "tsne", seed=3).xy, lay_out(points, "tsne", seed=3).xy)


@pytest.mark.parametrize("n", [1, 2, 3, 9, 10, 12])
@pytest.mark.parametrize("kind", ["auto", "tsne", "pca"])
def test_few_points_are_enough(n: int, kind: Layout) -> None:
    xy = lay_out(reduced(np.random.default_rng(n).normal(size=(n, 6))), kind).xy
    assert xy.shape == (n, 2)
    assert np.isfinite(xy).all()


def test_equal_points_are_laid_out() -> None:
    assert np.isfinite(lay_out(reduced(np.ones((30, 6))), "tsne").xy).all()


def test_above_its_limit_the_rest_stands_among_its_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "MOST_TSNE", 60)
    monkeypatch.setitem(sys.modules, "umap", None)
    vectors, names = clouds(100, 20, 30)
    points = reduced(vectors)
    found = lay_out(points, "auto", of=np.repeat([0, 1, 2], [100, 20, 30]))
    assert found.kind == "tsne"
    assert found.how == "t-SNE of 60 images; the other 90 stand among the nearest of them"
    assert apart(found.xy, names) == 1.0


@given(st.lists(st.integers(-1, 3), min_size=1, max_size=60), st.integers(1, 60))
def test_a_sample_gives_every_cluster_its_share(of: list[int], most: int) -> None:
    rows = balanced(np.array(of, np.int64), most)
    assert len(rows) == min(most, len(of)) == len(set(rows.tolist()))
    taken = {one: sum(of[row] == one for row in rows) for one in set(of)}
    fewest = min(n for one, n in taken.items() if n < of.count(one)) if len(rows) < len(of) else 0
    assert all(n <= fewest + 1 for n in taken.values()) or len(rows) == len(of)


_UMAP = """
import numpy as np
from tellapart.clusters.layout import lay_out
from tests.clusters.test_layout import apart, clouds, reduced
vectors, names = clouds(30, 30, 30)
first, second = (lay_out(reduced(vectors), "umap", seed=1) for _ in range(2))
assert (first.kind, first.how) == ("umap", "UMAP")
assert apart(first.xy, names) == 1.0
assert np.array_equal(first.xy, second.xy)
"""


@pytest.mark.slow  # it compiles itself in every new process
def test_umap_keeps_clouds_apart() -> None:
    """In a process of its own: what it compiles leaves torch rounding otherwise, and other tests compare to the last bit."""
    try:
        layout._umap_module()
    except MissingExtra:
        pytest.skip("umap-learn is not installed")
    done = subprocess.run(
        [sys.executable, "-c", _UMAP], capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2]
    )
    assert done.returncode == 0, done.stderr


def test_a_missing_umap_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)
    told = r"the layout umap needs the library 'umap', which is not installed: pip install 'tellapart\[umap\]'"
    with pytest.raises(MissingExtra, match=f"^{told}$"):
        lay_out(np.eye(20, dtype=np.float32), "umap")


def test_an_unknown_layout_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"^a layout is auto, tsne, umap, pca, got 'som'$") as caught:
        lay_out(np.eye(3, dtype=np.float32), "som")  # type: ignore[arg-type]
    assert caught.value.reason is Reason.BAD_SETTING


def test_typical_is_near_the_centre_and_unusual_far() -> None:
    vectors, _ = clouds(40, 20)
    found = find_clusters(vectors, k=2)
    far = distances(found)
    first, last = typical(found, far, 0, 5), unusual(found, far, 0, 5)
    assert set(found.of[first]) == set(found.of[last]) == {0}
    assert far[first].max() < far[last].min()
    assert float(np.median(far[found.of == 0])) == pytest.approx(1.0, abs=0.02)
    assert len(typical(found, far, 1, 99)) == 20


def test_of_near_duplicates_one_is_typical() -> None:
    vectors, _ = clouds(20, 20)
    found = find_clusters(np.concatenate([vectors, vectors[:1].repeat(10, axis=0)]), k=2)
    shown = typical(found, distances(found), int(found.of[0]), 99)
    assert len(shown) == 20


def test_an_image_of_no_cluster_is_as_far_as_the_nearest_cluster() -> None:
    vectors, _ = clouds(30, 30)
    alone = np.random.default_rng(1).normal(size=(1, 16)).astype(np.float32)
    far = distances(find_clusters(np.concatenate([vectors, alone]), method="hdbscan"))
    assert far[-1] > 2
    assert np.isfinite(far).all()
    nothing = find_clusters(np.eye(3, dtype=np.float32), method="hdbscan")
    assert np.isnan(distances(nothing)).all()


def test_the_room_is_where_these_libraries_live() -> None:
    for path in Path(layout.__file__).parent.glob("*.py"):
        heads = [
            line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith(("import ", "from "))
        ]
        assert not [line for line in heads if line.split()[1].split(".")[0] in ("faiss", "sklearn", "umap")]
