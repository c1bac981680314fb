"""Similarity search against faiss used directly: recall@10, queries a second, build time, disk, memory, cold open.

    python benchmarks/similarity.py                             # 1,000,000 generated vectors of 256 numbers
    python benchmarks/similarity.py --real vectors.npy          # real ones (.npy, or .parquet of `tellapart embed`)

Generated vectors lie in clusters, as those of images do: n / 500 centres of very unequal weight (Zipf, 1 / rank^0.7), and
around each a cloud half as wide; centres and clouds have a spectrum that falls with 1 / rank^0.5, turned by a random
rotation, and all vectors are brought to length 1. Queries are fresh draws from the same clusters; of real vectors 1,000 are
taken out to serve as queries. "faiss" is the same index with the same settings, loaded into memory and called
directly; both are run in turns, and the ratio is the median over the pairs. A cold open is a new process: what it takes to
open the index, and to the first answer, imports included.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import polars as pl
from numpy.typing import NDArray

from tellapart.index.exact import exact, unit
from tellapart.index.index import Index
from tellapart.index.vectors import Vectors
from tellapart.workflows.index import add, build_index, describe

K, N_QUERIES, N_SINGLE = 10, 1000, 200
SLOW_S = 8.0  # what takes longer is run less often
Floats = NDArray[np.float32]


def main() -> None:
    """Print two tables in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--real", type=Path, help="vectors instead of generated ones: .npy or .parquet")
    parser.add_argument("--pca", type=int, help="first to so many numbers each, by principal components")
    parser.add_argument("--kinds", default="flat,hnsw,ivfpq")
    parser.add_argument("--recall", type=float, default=0.95)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="where the indexes are kept  [default: a temporary folder]")
    options = parser.parse_args()
    vectors, queries, clusters = real(options.real, options.pca) if options.real else generated(options.n, options.dim)
    print(f"{len(vectors):,} vectors of {vectors.shape[1]} numbers, {len(queries):,} queries, "
          f"{faiss.omp_get_max_threads()} threads, faiss {faiss.__version__}\n", flush=True)  # fmt: skip
    truth = exact(queries, vectors, K).rows
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for kind in options.kinds.split(","):
            measured(folder / f"{kind}.index", kind, vectors, queries, clusters, truth, options)


def generated(n: int, dim: int) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Vectors (n, dim), queries (1000, dim) and the cluster int64 (n,) of each vector."""
    rng = np.random.default_rng(0)
    n_centres = max(10, n // 500)
    spectrum = (np.arange(1, dim + 1) ** -0.5).astype(np.float32)
    turned = np.linalg.qr(rng.normal(size=(dim, dim)))[0].astype(np.float32)
    centres = rng.normal(size=(n_centres, dim)).astype(np.float32)
    weights = np.arange(1, n_centres + 1) ** -0.7
    of = rng.choice(n_centres, n + N_QUERIES, p=weights / weights.sum())
    out = np.empty((n + N_QUERIES, dim), np.float32)
    for start in range(0, len(out), 100_000):
        part = slice(start, start + 100_000)
        cloud = rng.standard_normal((len(of[part]), dim), np.float32)
        out[part] = ((centres[of[part]] + 0.5 * cloud) * spectrum) @ turned
        out[part] /= np.linalg.norm(out[part], axis=1, keepdims=True)
    return unit(out[:n]), unit(out[n:]), of[:n]


def real(path: Path, pca: int | None) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """The vectors of a file but 1,000, these, and the nearest of 100 random vectors for each."""
    values = unit(Vectors.read(path).vectors)
    if pca is not None:
        sample = values[np.random.default_rng(2).permutation(len(values))[:20_000]]
        mean = sample.mean(axis=0)
        axes = np.linalg.svd(sample - mean, full_matrices=False)[2][:pca]
        values = unit((values - mean) @ axes.T)
    rng = np.random.default_rng(1)
    order = rng.permutation(len(values))
    queries, vectors = values[order[:N_QUERIES]], values[order[N_QUERIES:]]
    return vectors, queries, (vectors @ vectors[:100].T).argmax(axis=1)


def measured(
    path: Path,
    kind: str,
    vectors: Floats,
    queries: Floats,
    clusters: NDArray[np.int64],
    truth: NDArray[np.int64],
    options: argparse.Namespace,
) -> None:
    """Build one index and print its row of both tables."""
    table = pl.DataFrame({"id": [f"{row:064x}" for row in range(len(vectors))], "cluster": clusters})
    given = Vectors.of(vectors, table=table)
    seconds = timed(lambda: build_index(path, given, kind=kind, recall=options.recall, overwrite=True))
    index, known = Index.open(path), describe(path)
    rival = direct(path, known["segments"][0], vectors)
    found = index.search(queries, K).rows
    same = recall(rival(queries)[1], truth)
    batch = paired(lambda: index.search(queries, K), lambda: rival(queries), options.rounds)
    single = one_by_one(lambda q: index.search(q, K), rival, queries, options.rounds)
    cold = json.loads(subprocess.run([sys.executable, "-c", COLD, str(path)], capture_output=True, check=True).stdout)
    settings = {key: value for key, value in known["segments"][0].items() if key in SETTINGS}
    rows = {
        "index": f"{kind} {settings}" if settings else kind,
        "recall@10": f"{recall(found, truth):.3f}",
        "of faiss": f"{same:.3f}",
        "build s": f"{seconds:.0f}",
        "disk MB": f"{known['bytes'] / 1e6:.0f}",
        "queries/s, 1,000 at once": f"{N_QUERIES / batch[0]:,.0f}",
        "ratio to faiss": f"{batch[1]:.2f}",
        "one by one": f"{1 / single[0]:,.0f}",
        "ratio to faiss ": f"{single[1]:.2f}",
        "open ms": f"{cold['open_ms']:.1f}",
        "to first answer s": f"{cold['first_s']:.2f}",
        "memory MB, own + mapped": f"{cold['own_mb']:.0f} + {cold['mapped_mb']:.0f}",
    }
    print(markdown([rows]), flush=True)
    print(
        markdown([filtered(index, vectors, queries, name, mask) for name, mask in masks(index, clusters)]), flush=True
    )
    extra = Vectors.of(queries[:20], table=pl.DataFrame({"id": [f"q{row}" for row in range(20)], "cluster": [0] * 20}))
    print(f"20 vectors added in {timed(lambda: add(path, extra)):.2f} s\n", flush=True)


SETTINGS = ("links", "ef_construction", "ef_search", "cells", "codes", "n_probe", "factor")

COLD = """
import time
start = time.perf_counter()
import sys
import numpy as np
from tellapart.index.index import Index
from tellapart.index.engine import engine
engine()
import polars
imported = time.perf_counter()
index = Index.open(sys.argv[1])
opened = time.perf_counter()
rng = np.random.default_rng(3)
found = index.search(rng.normal(size=(1, index.space.dim)), 10)
index.rows(found.rows[0])
first = time.perf_counter()
rows = rng.integers(index.n_stored, size=500)
index.search(index.vectors(rows) + 0.01, 10)
import json
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
megabytes = lambda name: int(status[name].split()[0]) / 1024
print(json.dumps({"open_ms": 1000 * (opened - imported), "first_s": first - start,
                  "own_mb": megabytes("RssAnon"), "mapped_mb": megabytes("RssFile")}))
"""


def direct(path: Path, segment: dict[str, Any], vectors: Floats) -> Callable[[Floats], Any]:
    """The same index, in memory, called without anything between: a function of queries."""
    folder = path / segment["name"]
    flat = faiss.IndexFlatIP(vectors.shape[1])
    flat.add(vectors)
    if segment["kind"] == "flat":
        return lambda queries: flat.search(queries, K)
    if segment["kind"] == "hnsw":
        graph = faiss.read_index(str(folder / "graph.faiss"), faiss.IO_FLAG_SKIP_STORAGE)
        graph.storage, graph.own_fields = flat, False
        graph.hnsw.efSearch = segment["ef_search"]
        return lambda queries: (flat, graph)[1].search(queries, K)
    codes = faiss.read_index(str(folder / "codes.faiss"))
    codes.nprobe = segment["n_probe"]
    refined = faiss.IndexRefineFlat(codes, faiss.swig_ptr(vectors))
    refined.k_factor = segment["factor"]
    return lambda queries: (codes, refined)[1].search(queries, K)


def masks(index: Index, clusters: NDArray[np.int64]) -> Sequence[tuple[str, NDArray[np.bool_]]]:
    """Filters: a random half, a random hundredth, and whole clusters, which shut out what is near most queries."""
    rng = np.random.default_rng(4)
    some = rng.random(clusters.max() + 1) < 0.3
    return [
        ("a random half", rng.random(index.n_stored) < 0.5),
        ("a random hundredth", rng.random(index.n_stored) < 0.01),
        ("three clusters in ten", some[clusters]),
    ]


def filtered(index: Index, vectors: Floats, queries: Floats, name: str, mask: NDArray[np.bool_]) -> dict[str, str]:
    """Recall and speed under a filter."""
    part = queries[:100]
    truth = exact(part, vectors, K, np.flatnonzero(mask)).rows
    found = index.search(part, K, allowed=mask)
    seconds = timed(lambda: [index.search(part[i : i + 1], K, allowed=mask) for i in range(20)])
    return {
        "filter": name,
        "rows left": f"{mask.sum():,}",
        "recall@10": f"{recall(found.rows, truth):.3f}",
        "found of 10": f"{(found.rows >= 0).sum(axis=1).min()}",
        "one by one, queries/s": f"{20 / seconds:,.0f}",
    }


def paired(ours: Callable[[], Any], theirs: Callable[[], Any], rounds: int) -> tuple[float, float]:
    """Our median seconds, and the median of faiss's over ours, run in turns after one round each to warm up."""
    rounds = rounds if timed(ours) + timed(theirs) < SLOW_S else 2
    pairs = []
    for number in range(rounds):
        both = (timed(ours), timed(theirs)) if number % 2 else (timed(theirs), timed(ours))[::-1]
        pairs.append(both)
    return float(np.median([a for a, _ in pairs])), float(np.median([b / a for a, b in pairs]))


def one_by_one(
    ours: Callable[[Floats], Any], theirs: Callable[[Floats], Any], queries: Floats, rounds: int
) -> tuple[float, float]:
    """The same for single queries, seconds for one: in turns of ten, so that both meet the same disturbances."""
    each = (timed(lambda: [ours(queries[i : i + 1]) for i in range(5)])) / 5
    n = 10 * int(np.clip(SLOW_S / 10 / each / 2, 1, N_SINGLE // 10))
    part = [queries[i : i + 1] for i in range(n)]
    totals = []
    for _ in range(rounds + 1):
        seconds = [0.0, 0.0]
        for number in range(0, n, 10):
            for which in (0, 1) if number % 20 else (1, 0):
                search = (ours, theirs)[which]
                seconds[which] += timed(lambda search=search, at=number: [search(one) for one in part[at : at + 10]])
        totals.append(seconds)
    ratios = [their / our for our, their in totals[1:]]
    return float(np.median([our for our, _ in totals[1:]])) / n, float(np.median(ratios))


def timed(run: Callable[[], Any]) -> float:
    """Seconds."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def recall(found: NDArray[np.int64], truth: NDArray[np.int64]) -> float:
    """The share of the true neighbours that were found."""
    return float((found[:, :, None] == truth[:, None, :]).any(axis=1).mean())


def markdown(rows: Sequence[dict[str, str]]) -> str:
    """A table."""
    heads = list(rows[0])
    lines = ["| " + " | ".join(heads) + " |", "| " + " | ".join("---" for _ in heads) + " |"]
    return "\n".join(lines + ["| " + " | ".join(row.values()) + " |" for row in rows]) + "\n"


if __name__ == "__main__":
    main()
