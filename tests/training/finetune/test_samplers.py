"""Batches: what they hold, that nothing is lost, and that several processes share the same ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tellapart.errors import Reason, SettingsError
from tellapart.training.finetune.samplers import EpochSampler, members

NAMES = st.sampled_from(["shuffle", "balanced", "square_root"])


def one_hot(*counts: int) -> np.ndarray:
    """Targets with so many images of each class."""
    return np.eye(len(counts), dtype=np.uint8)[np.repeat(np.arange(len(counts)), counts)]


def class_counts(sampler: EpochSampler, targets: np.ndarray, epoch: int = 0) -> list[int]:
    return targets[sampler.indices(epoch)].sum(axis=0).tolist()


def test_shuffle_has_every_image_once_in_another_order_each_epoch() -> None:
    sampler = EpochSampler(one_hot(60, 40), "shuffle", batch_size=32)
    first, second = sampler.indices(0), sampler.indices(1)
    assert sorted(first) == sorted(second) == list(range(100))
    assert first.tolist() != second.tolist() != list(range(100))


def test_balanced_has_every_class_equally_often() -> None:
    targets = one_hot(70, 25, 5)
    sampler = EpochSampler(targets, "balanced", batch_size=10)
    assert class_counts(sampler, targets) in ([33, 33, 34], [33, 34, 33], [34, 33, 33])


def test_square_root_has_every_class_in_proportion_to_the_root_of_its_images() -> None:
    targets = one_hot(64, 16, 4)
    assert class_counts(EpochSampler(targets, "square_root", batch_size=10), targets) == [48, 24, 12]


def test_the_images_of_a_class_come_equally_often() -> None:
    sampler = EpochSampler(one_hot(95, 5), "balanced", batch_size=10)
    times = np.bincount(sampler.indices(3), minlength=100)
    assert times[:95].max() == 1
    assert times[95:].tolist() == [10] * 5


def test_an_image_of_a_common_class_that_is_left_out_comes_in_another_epoch() -> None:
    sampler = EpochSampler(one_hot(95, 5), "balanced", batch_size=10)
    assert len(np.unique(np.concatenate([sampler.indices(epoch) for epoch in range(12)]))) == 100


def test_an_image_of_several_labels_belongs_to_the_rarest_and_one_without_to_none() -> None:
    targets = np.array([[1, 0, 0], [1, 1, 0], [1, 1, 1], [1, 0, 0], [0, 0, 0], [0.2, 0, 0.1], [0, 1, 0]])
    assert [rows.tolist() for rows in members(targets)] == [[0, 3], [1, 6], [2, 5], [4]]


def test_a_class_without_images_takes_no_part() -> None:
    targets = one_hot(6, 0, 6)
    assert class_counts(EpochSampler(targets, "balanced", batch_size=4), targets) == [6, 0, 6]


@pytest.mark.parametrize(
    "n, batch_size, expected",
    [
        (33, 32, [17, 16]),
        (64, 32, [32, 32]),
        (3, 2, [3]),
        (5, 2, [3, 2]),
        (1, 32, [1]),
        (2, 32, [2]),
        (3, 1, [1, 1, 1]),
    ],
)
def test_batches_are_alike_in_size_and_have_one_image_only_if_they_must(
    n: int, batch_size: int, expected: list[int]
) -> None:
    sampler = EpochSampler(one_hot(n), "shuffle", batch_size=batch_size)
    assert [len(batch) for batch in sampler.batches(0)] == expected
    assert sampler.steps == len(expected)


@settings(max_examples=100, deadline=None)
@given(
    counts=st.lists(st.integers(0, 40), min_size=1, max_size=5).filter(any),
    name=NAMES,
    batch_size=st.integers(1, 20),
    world=st.integers(1, 4),
    accumulate=st.integers(1, 3),
    epoch=st.integers(0, 3),
)
def test_processes_share_the_batches_of_one(
    counts: list[int], name: str, batch_size: int, world: int, accumulate: int, epoch: int
) -> None:
    targets, parts = one_hot(*counts), world * accumulate
    if min(batch_size, len(targets)) < parts:
        with pytest.raises(SettingsError):
            EpochSampler(targets, name, batch_size=batch_size, parts=parts)
        return
    sampler = EpochSampler(targets, name, batch_size=batch_size, seed=7, parts=parts)
    batches = sampler.batches(epoch)
    assert np.concatenate(batches).tolist() == sampler.indices(epoch).tolist()
    assert len(sampler.indices(epoch)) == len(targets)
    shares = [sampler.parts(epoch, rank=rank, world=world, accumulate=accumulate) for rank in range(world)]
    assert {len(share) for share in shares} == {sampler.steps * accumulate}
    for step, batch in enumerate(batches):
        own = [share[step * accumulate + i] for share in shares for i in range(accumulate)]
        assert sorted(np.concatenate([part.indices for part in own])) == sorted(batch)
        assert min(len(part.indices) for part in own) >= (2 if min(batch_size, len(targets)) >= 2 * parts else 1)
        # Any loss per image: the mean over processes and parts of weight times mean is the mean of the batch.
        loss = np.sin(np.arange(len(targets)))
        assert np.mean([p.weight * loss[p.indices].mean() for p in own]) == pytest.approx(loss[batch].mean())


def test_positions_of_a_process_within_a_batch() -> None:
    sampler = EpochSampler(one_hot(10), "shuffle", batch_size=5, parts=2)
    batch = sampler.batches(0)[0].tolist()
    assert sampler.parts(0, rank=1, world=2)[0].indices.tolist() == batch[1::2]


def test_the_same_seed_and_epoch_give_the_same_order_and_others_another() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        return EpochSampler(one_hot(30, 10), "balanced", batch_size=8, seed=seed).indices(epoch).tolist()

    assert order(1, 2) == order(1, 2)
    assert len({tuple(order(seed, epoch)) for seed in (1, 2) for epoch in (2, 3)}) == 4


def test_the_number_of_processes_does_not_change_the_order() -> None:
    alone, two = (EpochSampler(one_hot(30, 11), "shuffle", batch_size=8, parts=parts) for parts in (1, 2))
    assert [batch.tolist() for batch in alone.batches(4)] == [batch.tolist() for batch in two.batches(4)]


def test_more_parts_than_images_are_refused() -> None:
    with pytest.raises(SettingsError) as caught:
        EpochSampler(one_hot(3), "shuffle", batch_size=32, parts=4)
    assert caught.value.reason is Reason.BAD_SETTING
    assert str(caught.value) == (
        "a batch of 3 of 3 images cannot be shared by 4 (processes times accumulated parts): "
        "ask for fewer of either, or for batches of 4 images or more"
    )
