"""Cost tables outlive changes of classes."""

from __future__ import annotations

from pathlib import Path

from tests.classifier.models import quick_train
from tests.workflows.classes.models import photos

from tellapart.classifier.storage import load
from tellapart.heads.aims import Aim, CostTable
from tellapart.records import Label, LabelSchema, Task
from tellapart.workflows.classes.merge import merge_classes
from tellapart.workflows.classes.prices import aim_after
from tellapart.workflows.classes.retire import retire_class
from tellapart.workflows.classes.undo import undo_change
from tellapart.workflows.verify import verify

BEFORE = LabelSchema(Task.MULTICLASS, tuple(Label(i, name) for i, name in enumerate("abc")))
AIM = Aim("least_cost", costs=CostTable.of({"a": {"b": 5.0, "c": 3.0, "a": 0.5}, "b": {"a": 0.2}}, unknown=0.4))


def after(names: dict[int, str], mapping: dict[int, tuple[int, ...]]) -> dict[tuple[str, str], float]:
    schema = LabelSchema(Task.MULTICLASS, tuple(Label(one, name) for one, name in names.items()))
    aim = aim_after(AIM, BEFORE, schema, mapping)
    assert aim.kind == "least_cost"
    assert aim.costs is not None
    assert aim.costs.unknown == 0.4
    aim.costs.matrix(schema)
    return {(actual, said): cost for actual, said, cost in aim.costs.costs}


def test_a_retired_class_has_no_price() -> None:
    assert after({0: "a", 2: "c"}, {0: (0,), 1: (), 2: (2,)}) == {("a", "c"): 3.0, ("a", "a"): 0.5}


def test_a_merged_class_costs_what_the_dearest_did() -> None:
    found = after({0: "a", 3: "b"}, {0: (0,), 1: (3,), 2: (3,)})
    assert found == {("a", "b"): 5.0, ("a", "a"): 0.5, ("b", "a"): 1.0}  # c taken for a had no price: 1


def test_of_two_that_are_one_nothing_is_paid_between_them() -> None:
    assert after({2: "c", 3: "ab"}, {0: (3,), 1: (3,), 2: (2,)}) == {("ab", "c"): 3.0, ("ab", "ab"): 0.5}


def test_pieces_cost_what_the_class_did() -> None:
    found = after({1: "b", 2: "c", 3: "x", 4: "y"}, {0: (3, 4), 1: (1,), 2: (2,)})
    assert found == {
        ("x", "x"): 0.5,
        ("y", "y"): 0.5,
        **{(piece, said): cost for piece in "xy" for said, cost in (("b", 5.0), ("c", 3.0))},
        ("b", "x"): 0.2,
        ("b", "y"): 0.2,
    }


def test_an_aim_without_costs_is_itself() -> None:
    assert aim_after(Aim("best_f1"), BEFORE, BEFORE, {}) == Aim("best_f1")


def test_classes_of_a_cost_table_can_change(tmp_path: Path) -> None:
    table, model = tmp_path / "costs.csv", tmp_path / "model"
    table.write_text("actual,red,blue,green,unknown\nred,,5,,0.5\nblue,,,2,\n")
    quick_train(photos(), output=model, method="dynamic", aim="least_cost", costs=table)
    change = merge_classes(model, ["red", "green"], "warm")
    assert change.told[-1] == "costs       the cost table has 2 prices of the classes as they are now"
    costs = load(model).thresholds.aim.table
    assert (costs.costs, costs.unknown) == ((("warm", "blue", 5.0), ("blue", "warm", 2.0)), 0.5)
    undo_change(model)
    retire_class(model, "red")
    assert load(model).thresholds.aim.table.costs == (("blue", "green", 2.0),)
    assert verify(model).n_golden == 3
