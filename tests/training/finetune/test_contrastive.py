"""Supervised contrastive: against the paper's formula, and what has no positive."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional  # noqa: E402

from tellapart.errors import SettingsError  # noqa: E402
from tellapart.records import Task  # noqa: E402
from tellapart.settings.recipe import Loss  # noqa: E402
from tellapart.training.finetune.contrastive import SupervisedContrastive, contrastive  # noqa: E402
from tellapart.training.finetune.losses import make_loss  # noqa: E402


def unit_vectors(n: int, seed: int = 0) -> torch.Tensor:
    return functional.normalize(torch.randn(n, 5, generator=torch.Generator().manual_seed(seed)), dim=1)


def by_the_paper(vectors: np.ndarray, labels: list[int], temperature: float) -> float:
    """Equation 2 of Khosla et al. 2020 with loops, mean over the anchors that have a positive."""
    values = []
    for i, label in enumerate(labels):
        positives = [p for p, other in enumerate(labels) if p != i and other == label]
        if positives:
            rest = sum(np.exp(vectors[i] @ vectors[a] / temperature) for a in range(len(labels)) if a != i)
            shares = [np.log(np.exp(vectors[i] @ vectors[p] / temperature) / rest) for p in positives]
            values.append(-np.mean(shares))
    return float(np.mean(values))


def test_it_is_the_papers_formula() -> None:
    labels, vectors = [0, 0, 1, 2, 2, 2, 3], unit_vectors(7)
    expected = by_the_paper(vectors.double().numpy(), labels, 0.2)
    assert float(contrastive(vectors, torch.eye(4)[labels], 0.2)) == pytest.approx(expected, rel=1e-5)


def test_soft_targets_weigh_pairs_by_their_overlap() -> None:
    vectors, targets = unit_vectors(3), torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]])
    log_shares = functional.log_softmax((vectors @ vectors.T / 0.2).fill_diagonal_(-1e30), dim=1)
    # The first and the last have the middle one alone; the middle one has both alike.
    expected = -(log_shares[0, 1] + (log_shares[1, 0] + log_shares[1, 2]) / 2 + log_shares[2, 1]) / 3
    assert float(contrastive(vectors, targets, 0.2)) == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize("labels", [[0], [0, 1], [0, 1, 2]])
def test_without_a_positive_there_is_nothing_to_learn(labels: list[int]) -> None:
    vectors = unit_vectors(len(labels)).requires_grad_()
    value = contrastive(vectors, torch.eye(3)[labels], 0.1)
    value.backward()
    assert value.item() == 0
    assert not vectors.grad.any()


def test_equal_images_of_a_class_far_from_the_rest_leave_nearly_no_loss() -> None:
    vectors = torch.eye(2)[[0, 0, 1, 1]]
    assert float(contrastive(vectors, torch.eye(2)[[0, 0, 1, 1]], 0.05)) < 1e-6
    assert float(contrastive(vectors, torch.eye(2)[[0, 1, 0, 1]], 0.05)) > 10


def test_it_adds_up_with_cross_entropy() -> None:
    logits, targets, embeddings = torch.randn(6, 3), torch.eye(3)[[0, 0, 1, 1, 2, 2]], torch.randn(6, 8)

    def value(contrast: float, smoothing: float = 0.0) -> float:
        options = Loss(name="supervised_contrastive", contrast=contrast, smoothing=smoothing)
        loss = make_loss(options, task=Task.MULTICLASS, class_counts=np.ones(3, int), n=6, embedding_dim=8, seed=3)
        assert loss.needs_embedding
        return loss(logits, targets, embeddings).item()

    plain = float(functional.cross_entropy(logits, targets))
    assert value(0.0) == pytest.approx(plain, rel=1e-6)
    assert value(0.25) == pytest.approx(0.75 * plain + 0.25 * value(1.0), rel=1e-5)
    assert value(1.0, smoothing=0.3) == value(1.0)
    assert value(0.0, smoothing=0.3) != pytest.approx(plain, rel=1e-3)


def test_the_projection_learns_and_is_the_same_for_a_seed() -> None:
    first, same, other = (SupervisedContrastive(Loss(), 8, seed) for seed in (1, 1, 2))
    weights = [torch.cat([p.flatten() for p in loss.parameters()]) for loss in (first, same, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    first(torch.randn(4, 2), torch.eye(2)[[0, 0, 1, 1]], torch.randn(4, 8)).backward()
    assert all(p.grad is not None for p in first.parameters())


def test_making_one_does_not_touch_the_random_state() -> None:
    before = torch.get_rng_state()
    SupervisedContrastive(Loss(), 8, 5)
    assert torch.equal(before, torch.get_rng_state())


def test_it_needs_embeddings() -> None:
    with pytest.raises(TypeError, match="logits, targets and embeddings"):
        SupervisedContrastive(Loss(), 8, 0)(torch.randn(2, 2), torch.eye(2))
    with pytest.raises(SettingsError, match="needs a network with an embedding, got one of length 0"):
        SupervisedContrastive(Loss(), 0, 0)


TWO_PROCESSES = """
import sys
import torch
from torch import distributed, multiprocessing
from tellapart.settings.recipe import Loss
from tellapart.training.finetune.contrastive import SupervisedContrastive

LABELS = [0, 0, 1, 1, 0]

def gradients(rank, world):
    generator = torch.Generator().manual_seed(0)
    x, logits = torch.randn(5, 4, generator=generator), torch.randn(5, 2, generator=generator)
    network = torch.nn.Linear(4, 4)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    loss = SupervisedContrastive(Loss(contrast=1.0), 4, 0)
    own = slice(rank, None, world)
    weight = len(LABELS[own]) * world / len(LABELS)
    (weight * loss(logits[own], torch.eye(2)[LABELS[own]], network(x[own]))).backward()
    return torch.cat([p.grad.flatten() for p in (network.weight, *loss.parameters())])

def run(rank, file):
    distributed.init_process_group("gloo", init_method=f"file://{file}", rank=rank, world_size=2)
    found = gradients(rank, 2)
    distributed.all_reduce(found)
    if rank == 0:
        torch.save(found / 2, file + ".pt")
    distributed.destroy_process_group()

if __name__ == "__main__":
    alone = gradients(0, 1)
    multiprocessing.start_processes(run, (sys.argv[1],), nprocs=2, start_method="spawn")
    torch.testing.assert_close(torch.load(sys.argv[1] + ".pt"), alone, rtol=1e-4, atol=1e-6)
"""


def test_two_processes_find_the_gradient_of_the_whole_batch(tmp_path: Path) -> None:
    script = tmp_path / "two.py"
    script.write_text(TWO_PROCESSES)
    command = [sys.executable, "-W", "ignore", str(script), str(tmp_path / "meeting")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
