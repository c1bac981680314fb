"""From labelled images to a model: read, group, split, fit, calibrate, evaluate, report, save."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.backbones.registry import load_backbone
from tellapart.backbones.store import Store
from tellapart.classifier.classifier import Classifier
from tellapart.classifier.enclosures import Enclosures
from tellapart.classifier.folder import check_target
from tellapart.classifier.golden import record
from tellapart.data.dataset import Dataset
from tellapart.errors import Reason, SettingsError
from tellapart.evaluation.evaluation import Evaluation, evaluate
from tellapart.evaluation.kinds import Kinds
from tellapart.evaluation.learning import Learning
from tellapart.evaluation.report import Background
from tellapart.evaluation.searched import Searched
from tellapart.heads.aims import Aim
from tellapart.image.types import DecodeLimits
from tellapart.settings.recipe import Recipe
from tellapart.settings.recipe_file import for_card, recipe_with
from tellapart.training.linear_probe import Probe, ProbeOptions
from tellapart.workflows.anomaly_judged import kinds_of
from tellapart.workflows.cheap_checks import cheap_lines
from tellapart.workflows.costs import cost_matrix, read_costs
from tellapart.workflows.embedding import EmbeddedDataset, Embedder, embed_dataset
from tellapart.workflows.facts import data_facts, slicing_columns
from tellapart.workflows.fitting import Fitting, HeldBack, schema_of, without_empty_labels
from tellapart.workflows.golden import golden_images
from tellapart.workflows.image_size import spec_for
from tellapart.workflows.memory import Memory, remember
from tellapart.workflows.methods import METHODS
from tellapart.workflows.noise_facts import noise_facts, noise_line
from tellapart.workflows.partition import Partition, partition
from tellapart.workflows.progress import Progress, silent
from tellapart.workflows.reference import reference_parquet
from tellapart.workflows.report import Report, counts_by_split, render, warnings_of
from tellapart.workflows.run_folder import RunFolder
from tellapart.workflows.search_budget import Budget, check_searchable
from tellapart.workflows.search_folder import SearchFolder
from tellapart.workflows.wish import Wish, frozen_backbone


def train(
    data: Dataset | str | Path,
    *,
    output: str | Path | None = None,
    recipe: Recipe | str | Path | None = None,
    method: str | None = None,
    backbone: str | Path | None = None,
    store: Store | None = None,
    size: int | None = None,
    preprocess: str | None = None,
    aim: str | None = None,
    costs: str | Path | None = None,
    class_weight: str | None = None,
    label_noise: str | None = None,
    rejection: str | None = None,
    unknown_share: float | None = None,
    split: str = "grouped",
    name: str | None = None,
    golden: int = 6,
    resume: bool = False,
    restart: bool = False,
    search: int | None = None,
    search_minutes: float | None = None,
    seed: int = 0,
    workers: int = 0,
    provider: str = "cpu",
    cache_dir: str | Path | None = None,
    limits: DecodeLimits = DecodeLimits(),
    progress: Progress = silent,
) -> Classifier:
    """Train a classifier on labelled images and judge it on images it has not seen.

    `data` is a data set or anything `Dataset.read` takes. `output` names a model folder (or .zip) to write; a model that
    lies there is replaced, and images it knew stay in their split. `recipe` says how to train: a value, the name of one that
    ships (`tellapart recipes list`), or a YAML file (docs/recipes.md); without one the defaults of `Recipe` hold. What is
    named beside it has the last word: `method`, `backbone` (a name or file as `load_backbone` takes it), `size` in pixels or
    `preprocess`, `aim` (best_f1, precision>=p, recall>=r, least_cost with a cost table `costs`, argmax), `class_weight`
    ("balanced", "none") and `label_noise`, what labels of the training split do that are probably wrong ("keep" counting,
    "drop" out, "downweight"), `rejection`, what tells unknown images ("auto" chooses, docs/unknowns.md), and the
    `unknown_share` (0–0.5) of images like the training images that it calls unknown. `store` is where added backbones are
    kept (None: the user's cache folder). `split` is "grouped", or "random" to see what a leaking split would have
    promised. `golden` images are kept in the model to verify it. `resume` goes on with an unfinished fine-tuning or
    search beside `output`, `restart` throws it away. `search` trials, or trials for `search_minutes`, look for the best
    of what the recipe leaves open first; they are judged on the validation images, and the model that is trained by what
    they found on the test images. `provider` is "cpu", "cuda", "openvino" or "auto". `cache_dir` keeps embeddings between
    runs. The result carries its evaluation and its report.

    Raises:
        DataError, TrainingError, SettingsError, SpecError, BackboneError, ModelError: each with its reason code.
    """
    if output is not None:
        check_target(output)
        if not isinstance(data, Dataset):
            check_outside(output, data)
    asked = recipe_with(
        recipe,
        method=method,
        backbone=None if backbone is None else str(backbone),
        size=size,
        preprocess=preprocess,
        aim=aim,
        class_weight=class_weight,
        label_noise=label_noise,
        rejection=rejection,
        unknown_share=unknown_share,
    )
    method_used = METHODS[asked.method]
    budget = _budget(asked, search, search_minutes)
    if budget is not None:
        run = _search_folder(output, resume=resume, restart=restart)
    else:
        run = _run_folder(asked, output, resume=resume, restart=restart)
    memory = remember(None if output is None else Path(output), how=split)
    options = ProbeOptions(
        Aim.parse(asked.aim, costs=None if costs is None else read_costs(costs)),
        None if asked.class_weight == "none" else asked.class_weight,
        seed,
        asked.label_noise,
        asked.rejection,
        asked.unknown_share,
    )
    began = time.perf_counter()
    network = load_backbone(method_used.backbone or frozen_backbone(asked), provider=provider, store=store)
    dataset = data if isinstance(data, Dataset) else Dataset.read(data)
    if method_used.prepare is not None:
        dataset = method_used.prepare(dataset, asked)
    spec = spec_for(asked, network, dataset, limits)
    embedder = Embedder(spec, network, None if cache_dir is None else Path(cache_dir), limits, workers)
    schema = schema_of(dataset)
    images = embed_dataset(dataset.subset(dataset.labelled), embedder, progress=progress)
    schema, dataset = without_empty_labels(schema, dataset, images)
    progress("finding near-duplicates", 0, 0)
    parted = partition(
        images,
        schema,
        how=split,
        memory=memory,
        seed=seed,
        cache_dir=embedder.cache_dir,
        all_teach=method_used.all_teach,
    )
    fitting = Fitting(images, schema, parted, options, embedder, method_used.maker(asked))
    if method_used.refine is not None:
        fitting = method_used.refine(fitting, asked, progress)
    work = Work(dataset, fitting, memory)
    wish = Wish(asked, name or _name(output), provider, store, resume)
    if budget is not None:
        return _searched(work, wish, budget, run, output, golden, progress)
    with nullcontext() if run is None else run.alone():
        return _made(work, wish, run, output, golden, began, progress, Story())


def _made(
    work: Work,
    wish: Wish,
    run: RunFolder | None,
    output: str | Path | None,
    n_golden: int,
    began: float,
    progress: Progress,
    story: Story,
) -> Classifier:
    """The model by the recipe of `wish`, written where an output is named."""
    story = replace(story, facts={"recipe": for_card(wish.recipe), **story.facts})
    if wish.recipe.method == "finetune":
        return _finetuned(work, wish, run, output, n_golden, began, progress, story)
    classifier = work.classifier(wish.name, n_golden, progress, story)
    return classifier if output is None else classifier.save(output)


def _searched(
    work: Work,
    wish: Wish,
    budget: Budget,
    run: RunFolder | None,
    output: str | Path | None,
    n_golden: int,
    progress: Progress,
) -> Classifier:
    """Look for the recipe first, and train by what was found."""
    from tellapart.workflows.search import search

    with ExitStack() as stack:
        run = run or RunFolder(Path(stack.enter_context(TemporaryDirectory())))
        stack.enter_context(run.alone())
        SearchFolder(run).begin(resume=wish.resume)
        found = search(work.fitting, wish, SearchFolder(run), budget, progress)
        began = time.perf_counter()
        work = replace(work, fitting=found.fitting)
        # A training that was interrupted goes on, unless more trials have led to another recipe.
        wish = replace(wish, recipe=found.recipe, resume=found.as_before and run.job.exists())
        story = Story({"search": found.searched.facts}, found.searched.summary, None, found.searched)
        model = _made(work, wish, run, output, n_golden, began, progress, story)
        SearchFolder(run).finish()
    return model


def _budget(recipe: Recipe, trials: int | None, minutes: float | None) -> Budget | None:
    """Of a search, None where none is asked for."""
    if trials is None and minutes is None:
        return None
    check_searchable(recipe)
    return Budget(trials, minutes)


def _search_folder(output: str | Path | None, *, resume: bool, restart: bool) -> RunFolder | None:
    if output is not None:
        run = RunFolder.beside(Path(output))
        SearchFolder(run).check(resume=resume, restart=restart)
        return run
    if resume or restart:
        message = "an unfinished search can be resumed or restarted where an output is named"
        raise SettingsError(Reason.BAD_SETTING, message)
    return None


def _run_folder(recipe: Recipe, output: str | Path | None, *, resume: bool, restart: bool) -> RunFolder | None:
    """Where the network is trained: beside the model, None where there is nothing to be gone on with later."""
    if (resume or restart) and (recipe.method != "finetune" or output is None):
        message = (
            "an unfinished training can be resumed or restarted where the method is 'finetune' and an output is named"
        )
        raise SettingsError(Reason.BAD_SETTING, message)
    if recipe.method != "finetune" or output is None:
        return None
    run = RunFolder.beside(Path(output))
    run.check(resume=resume, restart=restart)
    return run


def _finetuned(
    work: Work,
    wish: Wish,
    run: RunFolder | None,
    output: str | Path | None,
    n_golden: int,
    began: float,
    progress: Progress,
    story: Story,
) -> Classifier:
    """Train the network itself; what a resumption needs goes when the model is there."""
    from tellapart.workflows.finetune import finetune

    with ExitStack() as stack:
        run = run or RunFolder(Path(stack.enter_context(TemporaryDirectory())))
        tuned = finetune(work.fitting, wish, run, began=began, progress=progress)
        whole = replace(work, fitting=tuned.fitting).describe(
            tuned.classifier,
            tuned.probe,
            tuned.held,
            started=time.perf_counter(),
            n_golden=n_golden,
            progress=progress,
            story=story.then(tuned.facts, tuned.summary, tuned.learning),
        )
        saved = whole if output is None else whole.save(output)
        run.finish()
    return saved


def check_outside(output: str | Path, data: str | Path) -> None:
    """Raise `SettingsError` (`bad_setting`) for a model inside a folder of images: its golden images would be a class."""
    inside, folder = Path(output).resolve(), Path(data).resolve()
    if folder.is_dir() and inside.is_relative_to(folder):
        raise SettingsError(
            Reason.BAD_SETTING,
            f"the model {output} would lie inside the data {data}, where its images would be read as data the next time; "
            "name an output outside of it",
        )


@dataclass(frozen=True, slots=True)
class Story:
    """What a way to train tells beside what all tell: facts for the card, lines of the summary, parts of the report."""

    facts: Mapping[str, Any] = field(default_factory=dict)
    summary: tuple[str, ...] = ()
    learning: Learning | None = None
    searched: Searched | None = None
    kinds: Kinds | None = None

    def then(self, facts: Mapping[str, Any], summary: tuple[str, ...], learning: Learning) -> Story:
        """And then the network itself was trained."""
        return Story({**self.facts, **facts}, (*self.summary, *summary), learning, self.searched)


@dataclass(frozen=True, slots=True)
class Work:
    """What a training is about: the data as it was read, the head to fit, and what an earlier model remembers."""

    dataset: Dataset
    fitting: Fitting
    memory: Memory

    def classifier(self, name: str, n_golden: int, progress: Progress, story: Story = Story()) -> Classifier:
        """Fit, judge and describe."""
        started = time.perf_counter()
        progress("fitting the head", 0, 0)
        classifier, probe = self.fitting.fit(name)
        progress("evaluating", 0, 0)
        held = self.fitting.judge(classifier, probe)
        return self.describe(
            classifier, probe, held, started=started, n_golden=n_golden, progress=progress, story=story
        )

    def describe(
        self,
        classifier: Classifier,
        probe: Probe,
        held: HeldBack,
        *,
        started: float,
        n_golden: int,
        progress: Progress,
        story: Story = Story(),
    ) -> Classifier:
        """The classifier with its card, evaluation, report, reference and golden images; `started` by `perf_counter`."""
        evaluation = self._evaluate(held, probe.thresholds.aim) if len(held.rows) else None
        kinds = self._kinds(classifier, held) if len(held.rows) else None
        seconds = time.perf_counter() - started
        facts = self._training_facts(probe, held, seconds) | dict(story.facts)
        facts["summary"] = [*facts["summary"], *story.summary]
        described = classifier.with_card(data=self._data_facts(), training=facts, metrics=_metrics(evaluation, kinds))
        progress("writing the report", 0, 0)
        return self._enclose(described, probe, evaluation, held.rows, n_golden, replace(story, kinds=kinds))

    @property
    def images(self) -> EmbeddedDataset:
        return self.fitting.images

    @property
    def parted(self) -> Partition:
        return self.fitting.parted

    def _evaluate(self, held: HeldBack, aim: Aim) -> Evaluation:
        fitting = self.fitting
        judged = self.images.dataset.subset(held.rows)
        return evaluate(
            held.probabilities,
            fitting.targets(held.rows),
            fitting.schema,
            decisions=held.decisions,
            ood_scores=held.ood_scores,
            groups=fitting.groups(held.rows),
            metadata=slicing_columns(judged),
            uris=judged.uris,
            costs=cost_matrix(fitting.options.aim, fitting.schema),
            ranks=aim.kind == "false_alarms",
            seed=fitting.options.seed,
        )

    def _kinds(self, classifier: Classifier, held: HeldBack) -> Kinds | None:
        judged, groups = self.images.dataset.subset(held.rows), self.fitting.groups(held.rows)
        return kinds_of(classifier, judged, held.probabilities, held.decisions, groups, self.fitting.options.seed)

    def _enclose(
        self,
        classifier: Classifier,
        probe: Probe,
        evaluation: Evaluation | None,
        rows: NDArray[np.int64],
        n_golden: int,
        story: Story,
    ) -> Classifier:
        # Without an image that judges there is no report; any images make golden ones.
        judged = self.images.dataset.subset(rows) if len(rows) else self.images.dataset
        files = self._report(classifier, evaluation, judged, story)
        chosen = golden_images(judged, range(len(judged)), classifier.spec, classifier.limits, n=n_golden)
        answers = classifier.answer(self.images.embeddings)
        enclose = self.fitting.maker.enclose
        reference = reference_parquet(
            self.images,
            self.parted.splits.assigned,
            self.parted.groups,
            answers,
            gone=self.memory.splits,
            thumbnails=enclose is not None,
        )
        others = {} if enclose is None else enclose(self.fitting, probe)
        return classifier.enclosing(
            Enclosures(record(classifier, chosen), reference, files.evaluation, files.html, others)
        )

    def _report(self, classifier: Classifier, evaluation: Evaluation | None, judged: Dataset, story: Story) -> Report:
        if evaluation is None:
            return Report(b"", b"")
        noted = _noted(classifier.card.training["summary"])
        background = Background(
            splits=counts_by_split(self.images.dataset, self.parted.splits.assigned),
            refusals=self.images.dataset.refusals,
            notes=[*warnings_of([*classifier.card.data["summary"], *classifier.card.training["summary"]]), *noted],
            reproduce=[f"tellapart evaluate {classifier.card.name} DATA --split test"],
            learning=story.learning,
            searched=story.searched,
            kinds=story.kinds,
        )
        return render(classifier, evaluation, judged, title=classifier.card.name, background=background)

    def _data_facts(self) -> dict[str, Any]:
        checks = cheap_lines(self.images, self.fitting.schema)
        return data_facts(self.dataset, self.images, self.fitting.schema, checks)

    def _training_facts(self, probe: Probe, held: HeldBack, seconds: float) -> dict[str, Any]:
        missed = [n for n, ok in zip(self.fitting.schema.names, probe.thresholds.reached, strict=True) if not ok]
        summary = [*self.parted.summary(), f"judged on   {held.judged_on}"]
        fitted_on = self.images.dataset.subset(self.fitting.fitted_on)
        if noise := noise_line(probe.doubted, fitted_on):
            summary.append(f"{_NOISE}{noise}")
        summary.extend(probe.notes)
        if missed and probe.thresholds.aim.kind != "false_alarms":  # of these it has told already
            summary.append(
                f"warning     the aim {probe.thresholds.aim} is not reached with confidence for: {', '.join(missed)}"
            )
        return {
            "C": probe.C,
            "folds": probe.n_folds,
            "aim": str(probe.thresholds.aim),
            "seed": self.fitting.options.seed,
            "judged_on": held.judged_on,
            "label_noise": noise_facts(self.fitting.options.label_noise, probe.doubted, fitted_on),
            "split": self.parted.how,
            "splits": dict(zip(self.parted.splits.names, self.parted.splits.sizes, strict=True)),
            "groups": len(np.unique(self.parted.groups)),
            "images_from_cache": self.images.n_cached,
            "seconds_fit_and_evaluate": round(seconds, 2),
            "summary": summary,
        }


_NOISE = "labels      "


def _noted(summary: list[str]) -> list[str]:
    """What the report tells beside warnings: what was done about doubtful labels."""
    return [line.removeprefix(_NOISE) for line in summary if line.startswith(_NOISE)]


def _name(output: str | Path | None) -> str:
    return "model" if output is None else Path(output).resolve().name.removesuffix(".zip")


def _metrics(evaluation: Evaluation | None, kinds: Kinds | None) -> dict[str, Any]:
    if evaluation is None:
        return {"summary": ["not measured: no image is left to judge on"]}
    value = evaluation.to_json()
    summary = [*evaluation.summary(), *(() if kinds is None else kinds.lines())]
    anomalies = {} if kinds is None else {"anomalies": kinds.to_json()}
    return {"headline": value["headline_metric"], "summary": summary, **value["metrics"], **anomalies}
