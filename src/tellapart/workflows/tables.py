"""Predictions as a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tellapart.errors import DataError, Reason
from tellapart.files import replacing
from tellapart.records import Prediction, Refusal


def write_predictions_parquet(path: Path, outcomes: Iterable[Prediction | Refusal], labels: Sequence[str]) -> None:
    """One row per outcome, in order: uri, roi, predicted (list), unknown, ood_score, `p:<label>` for each label,
    embedding (list, where asked for) and the refusal's code; what does not apply is null. Written whole or not at all.

    Raises:
        DataError: `write_failed`.
    """
    import polars as pl

    rows = [_row(outcome) for outcome in outcomes]
    schema: dict[str, Any] = {
        "uri": pl.String,
        "roi": pl.String,
        "predicted": pl.List(pl.String),
        "unknown": pl.Boolean,
        "ood_score": pl.Float64,
        **{f"p:{name}": pl.Float64 for name in labels},
        "embedding": pl.List(pl.Float32),
        "model_id": pl.String,
        "refused": pl.String,
    }
    try:
        with replacing(path) as temporary:
            pl.DataFrame(rows, schema=schema).write_parquet(temporary)
    except OSError as exc:
        raise DataError(Reason.WRITE_FAILED, f"{path} could not be written: {exc.strerror or exc}") from exc


def _row(outcome: Prediction | Refusal) -> dict[str, object]:
    uri = outcome.uri.encode("utf-8", "backslashreplace").decode()
    if isinstance(outcome, Refusal):
        return {"uri": uri, "refused": outcome.code}
    probabilities = zip(outcome.labels, outcome.probabilities.tolist(), strict=True)
    return {
        "uri": uri,
        "roi": outcome.roi,
        "predicted": list(outcome.predicted),
        "unknown": outcome.unknown,
        "ood_score": outcome.ood_score,
        **{f"p:{name}": p for name, p in probabilities},
        "embedding": None if outcome.embedding is None else outcome.embedding.tolist(),
        "model_id": outcome.model_id,
    }
