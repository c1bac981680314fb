"""Do votes over several pictures beat single ones, and does tuning beat the defaults? On generated line videos.

    python benchmarks/policies.py                       # about 7 minutes on two cores
    python benchmarks/policies.py --train 4 --tune 8 --test 8 --seconds 20     # a trial

Sequences of one line are filmed (`data generate --variant line --kinds`). A model with the default settings learns kinds of
faults from single pictures of the first ones; policies are tuned on the next ones and judged on the last ones, which neither
has seen: which parts are to be taken out? A defective part that goes on costs 5, a good one that is taken out 1. Intervals are
over sequences, differences are paired by sequence; the recall of differences is that of all parts.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import tellapart as ta
from tellapart.data.dataset import Dataset
from tellapart.evaluation.intervals import Estimate
from tellapart.evaluation.policy_comparison import compare_policies
from tellapart.evaluation.policy_evaluation import PolicyEvaluation
from tellapart.records import Prediction
from tellapart.records.episode import TrueEpisode
from tellapart.records.observation import Observation
from tellapart.samples import LineVideo, plan, write_line
from tellapart.samples.line import DEFECTIVE, EMPTY, GOOD
from tellapart.settings.policy_file import read_policy
from tellapart.workflows.policy_evaluate import evaluate_policy
from tellapart.workflows.policy_tune import tune_policy
from tellapart.workflows.policy_tune_aim import aim_of
from tellapart.workflows.predict import predict
from tellapart.workflows.truth import read_truth

POLICIES = Path(__file__).parent / "policies"
Truth = Mapping[str, Sequence[TrueEpisode]]
Recording = Mapping[str, list[Observation]]
# A part is judged when it has left: its decision may come a moment after it.
LATE_S = 2.0


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sequences for each purpose, and their length."""

    train: int
    tune: int
    test: int
    seconds: float
    seed: int
    backbone: str

    @property
    def names(self) -> tuple[list[str], list[str], list[str]]:
        """Sequences for training, tuning and testing."""
        total = self.train + self.tune + self.test
        names = [sequence.name for sequence in plan(LineVideo(n_sequences=total, seconds=1))]
        return names[: self.train], names[self.train : self.train + self.tune], names[self.train + self.tune :]


def main() -> None:
    """Print tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=int, default=50)
    parser.add_argument("--tune", type=int, default=40)
    parser.add_argument("--test", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--backbone", default="builtin")
    parser.add_argument("--work", type=Path, help="keep everything in this folder")
    options = vars(parser.parse_args())
    work = options.pop("work")
    with TemporaryDirectory() as temporary:
        run(Sizes(**options), work or Path(temporary))


def run(sizes: Sizes, work: Path) -> None:
    """Film, train, predict, judge."""
    line, (train, tune, test) = work / "line", sizes.names
    if not line.exists():
        write_line(line, n_sequences=len([*train, *tune, *test]), seconds=sizes.seconds, seed=sizes.seed, kinds=True)
    model = work / "model"
    learn(line, train, model, sizes.backbone)
    truth = {name: [good_or_not(one) for one in parts] for name, parts in read_truth(line / "truth.csv").items()}
    tuning, testing = (recorded(model, line, names) for names in (tune, test))
    single_pictures(testing, line)
    judged = {name: judge(POLICIES / f"{name}.yaml", testing, truth) for name in ("single", "majority", "weighted")}
    for name, change in (("majority", "tuned votes"), ("weighted", "tuned")):
        tuned = work / f"{name}-tuned.yaml"
        told = tune_policy(
            POLICIES / f"{name}.yaml",
            tuning,
            truth,
            aim=aim_of(aim="least-cost"),
            rest="empty",
            late_s=LATE_S,
            anyway=True,  # the test sequences tell, whatever the verdict
        )
        tuned.write_text(told.text, encoding="utf-8")
        print(f"{change}: {'; '.join(f'{path} {a} to {b}' for path, (a, b) in told.tracks[0].turned.items())}")
        print(f"  {told.tracks[0].verdict()}")
        judged[change] = judge(tuned, testing, truth)
    table(judged)
    differences(judged)


def good_or_not(part: TrueEpisode) -> TrueEpisode:
    """The line is asked for parts to be taken out, whatever is wrong with them."""
    return part if part.state == GOOD else replace(part, state=DEFECTIVE)


def learn(line: Path, names: list[str], model: Path, backbone: str) -> None:
    """Train on single pictures of some sequences; a part of them is held back to judge the model."""
    if model.exists():
        return
    data = Dataset.read(line)
    chosen = data.subset([group in names for group in data.groups])
    ta.train(chosen.with_splits([None] * len(chosen)), backbone=backbone, output=model)


def recorded(model: Path, line: Path, names: list[str]) -> Recording:
    """What the model says of each picture, by sequence."""
    fps = LineVideo().fps
    found: dict[str, list[Observation]] = {name: [] for name in names}
    for outcome in predict(model, [line / name for name in names]).outcomes:
        assert isinstance(outcome, Prediction), outcome
        place = Path(outcome.uri)
        at_s = int(place.stem) / fps
        found[place.parent.name].append(Observation.of(outcome, at_s=at_s, input="image", id=outcome.uri))
    return found


def single_pictures(recording: Recording, line: Path) -> None:
    """Accuracy picture by picture, whatever fault is named; pictures without an answer count as wrong."""
    labels = {sample.uri: sample.labels for sample in Dataset.read(line).samples}
    right, parts = [], []
    for sequence, images in recording.items():
        for one in images:
            (label,) = labels[f"{sequence}/{Path(one.id).name}"] or ("",)
            right.append(good_defective_or_empty(label) == good_defective_or_empty(*one.predicted))
            parts.append(label != EMPTY)
    with_part = [a for a, b in zip(right, parts, strict=True) if b]
    print(f"{len(right)} test pictures: {sum(right) / len(right):.1%} right; ", end="")
    print(f"of the {len(with_part)} with a part {sum(with_part) / len(with_part):.1%}")


def good_defective_or_empty(label: str = "") -> str:
    """Of a label by kind of fault; "" for no answer."""
    return label if label in (EMPTY, GOOD, "") else DEFECTIVE


def judge(policy: Path, recording: Recording, truth: Truth) -> PolicyEvaluation:
    """On the test sequences."""
    return evaluate_policy(read_policy(policy), recording, truth, rest="empty", late_s=LATE_S)


def table(judged: Mapping[str, PolicyEvaluation]) -> None:
    """Defective parts: precision and recall per episode, and what it costs."""
    print("\n| policy | precision | recall | false alarms per hour | cost per part |\n| --- | --- | --- | --- | --- |")
    for name, one in judged.items():
        figures, track = one.track().state("defective").figures, one.track()
        counts = track.state("defective").counts
        cells = [told(figures["precision"]), told(figures["recall"]), told(figures["false_alarms_per_hour"], 0)]
        print(f"| {name} | {' | '.join([*cells, told(track.figures['cost'])])} |")
    print(f"\n{counts['n_true']} defective parts in {one.hours:.2f} hours, intervals over {one.unit}s")


def differences(judged: Mapping[str, PolicyEvaluation]) -> None:
    """What the paired comparisons say."""
    pairs = [
        ("single", "majority"),
        ("single", "weighted"),
        ("single", "tuned"),
        ("weighted", "tuned"),
        ("majority", "tuned votes"),
    ]
    print("\n| figure | first | other | difference | better |\n| --- | --- | --- | --- | --- |")
    for first, other in pairs:
        print("\n".join(rows(first, other, judged[first], judged[other])))


def rows(first: str, other: str, before: PolicyEvaluation, after: PolicyEvaluation) -> Iterator[str]:
    """One for each figure that shares what it is counted over."""
    for one in compare_policies(before, after):
        better = {"first": first, "other": other, None: "may be chance"}[one.better]
        values = f"{first} {one.first:.3g} | {other} {one.other:.3g} | {told(one.difference)}"
        yield f"| {one.figure} | {values} | {better} |"


def told(estimate: Estimate, digits: int = 2) -> str:
    """With its interval."""
    if estimate.value is None:
        return "none"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.{digits}f}"
    return f"{estimate.value:.{digits}f} ({estimate.low:.{digits}f} to {estimate.high:.{digits}f})"


if __name__ == "__main__":
    main()
