"""A teacher's labels are matched by name, and it answers in the order of the student."""

from __future__ import annotations

import numpy as np
import pytest
from tests.classifier.models import model, model_folder

torch = pytest.importorskip("torch")

from tellapart.errors import Reason, SettingsError  # noqa: E402
from tellapart.records import Label, LabelSchema, Task  # noqa: E402
from tellapart.training.finetune.distillation import Teacher, matched_columns  # noqa: E402


def schema(*names: str, task: Task = Task.MULTICLASS) -> LabelSchema:
    return LabelSchema(task, tuple(Label(i, name) for i, name in enumerate(names)), None)


def test_labels_are_matched_by_name() -> None:
    columns = matched_columns(schema("dog", "cat", "frog"), schema("frog", "dog", "cat"))
    assert columns.tolist() == [2, 0, 1]


def test_foreign_labels_are_named() -> None:
    with pytest.raises(SettingsError) as caught:
        matched_columns(schema("dog", "cat", "cow"), schema("dog", "frog"))
    assert caught.value.reason is Reason.BAD_SETTING
    assert str(caught.value) == (
        "the teacher has other labels: it does not know 'frog', and it knows 'cat', 'cow', which the training data do not "
        "have. Take a teacher that was trained for the same labels"
    )


def test_many_foreign_labels_are_counted() -> None:
    with pytest.raises(SettingsError, match=r"'n0', 'n1', 'n2', 'n3', 'n4' and 3 more, which the training data"):
        matched_columns(schema("a", "b", *(f"n{i}" for i in range(8))), schema("a", "b"))


def test_a_teacher_of_another_task_is_refused() -> None:
    with pytest.raises(SettingsError) as caught:
        matched_columns(schema("a", "b", task=Task.MULTILABEL), schema("a", "b"))
    assert str(caught.value) == (
        "the teacher gives several labels per image, the training data one label per image: "
        "take a teacher that was trained for the same labels"
    )


def test_a_model_folder_teaches_in_the_order_of_the_student() -> None:
    teacher = model()
    student = schema("red", "green", "blue", task=Task.MULTICLASS)
    asked = Teacher.of(teacher, student)
    embeddings = np.random.default_rng(0).normal(size=(5, teacher.backbone.embedding_dim)).astype(np.float32)
    logits = asked.logits(embeddings)
    assert logits.dtype == np.float32
    expected = teacher.head.probabilities(embeddings)[:, [teacher.labels.index(name) for name in student.names]]
    assert torch.softmax(torch.tensor(logits), 1).numpy() == pytest.approx(expected, abs=1e-5)


def test_a_teacher_is_opened_from_its_folder() -> None:
    opened = Teacher.open(model_folder(), schema("blue", "green", "red"))
    assert opened.columns.tolist() == [0, 1, 2]
