"""Every command: results on stdout, the rest on stderr, exit codes, and nothing but JSON with --json."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from pathlib import Path

import polars as pl
import pytest
from tests.builders import class_picture, png_bytes, write_folders
from tests.classifier.models import CLASSES, backbone_file, model, model_folder, own_copy, photos
from tests.cli.command import run

import tellapart as ta


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))


def parts(tmp_path: Path) -> Path:
    return write_folders(tmp_path / "parts", {"bad": 8, "good": 8, "odd": 8})


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["trian", "parts"], "Error: No such command 'trian'. Did you mean 'train'?"),
        (["policy", "chek", "x.yaml"], "Error: No such command 'chek'. Did you mean 'check'?"),
        (["polish"], "Error: No such command 'polish'. Did you mean 'policy'?"),
        (["zzz"], "Error: No such command 'zzz'."),
    ],
)
def test_a_misspelt_command_is_told_the_nearest(given: list[str], told: str) -> None:
    ran = run(*given)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.splitlines()[-1] == told


def test_without_a_command_the_help_is_shown() -> None:
    ran = run()
    assert ran.code == 2
    assert "Usage" in ran.out + ran.err
    assert run("--help").code == 0
    for name in ("demo", "train", "predict", "evaluate", "model", "data", "backbones"):
        assert name in run("--help").out
        assert run(name, "--help").code == 0


def test_the_version() -> None:
    ran = run("--version")
    assert (ran.code, ran.out) == (0, f"tellapart {ta.__version__}\n")


@pytest.mark.parametrize(
    "arguments",
    [["no-such"], ["predict"], ["predict", "m"], ["train"], ["model", "melt"], ["train", "x", "--seed", "y"]],
)
def test_wrong_usage_is_exit_code_2(arguments: list[str]) -> None:
    ran = run(*arguments)
    assert ran.code == 2
    assert ran.out == ""
    assert ran.err


def test_training_prints_what_was_done(tmp_path: Path) -> None:
    ran = run("train", parts(tmp_path), "-o", tmp_path / "model", "--backbone", backbone_file())
    assert ran.code == 0
    assert "data        24 images seen: 24 used, 0 refused, 0 unlabelled" in ran.out
    assert str(tmp_path / "model" / "report.html") in ran.err
    assert run("model", "verify", tmp_path / "model").code == 0


def test_the_default_output_is_named_after_the_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert run("train", "parts", "--backbone", backbone_file()).code == 0
    monkeypatch.chdir(tmp_path / "parts")
    ran = run("train", ".", "--backbone", backbone_file())
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("error: the model parts-model would lie inside the data .")
    assert (tmp_path / "parts-model" / "model.json").is_file()


def test_train_json_is_the_evaluation_alone(tmp_path: Path) -> None:
    ran = run("train", parts(tmp_path), "-o", tmp_path / "m.zip", "--backbone", backbone_file(), "--json")
    assert ran.code == 0
    assert ran.json == ta.load(tmp_path / "m.zip").evaluation.to_json()  # type: ignore[union-attr]


def test_evaluate_json_is_the_evaluation_alone(tmp_path: Path) -> None:
    ran = run("evaluate", model_folder(), photos(), "-o", tmp_path / "report", "--json", "--against", model_folder())
    assert ran.code == 0
    assert ran.json["metrics"]["accuracy"]["value"] == 1
    assert ran.json["comparison"]["difference"] == 0
    assert (tmp_path / "report" / "report.html").is_file()


def test_evaluate_prints_a_summary(tmp_path: Path) -> None:
    ran = run("evaluate", model_folder(), photos(), "-o", tmp_path / "report")
    assert ran.code == 0
    assert "data        30 images seen: 30 judged" in ran.out
    assert "report.html" in ran.err


def test_predict_prints_json_lines_in_the_order_asked_for(tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"no image")
    paths = [photos() / "red" / "0000.png", tmp_path / "bad.jpg", photos() / "blue", tmp_path / "nowhere.jpg"]
    ran = run("predict", model_folder(), *paths, "--json", "--workers", 3)
    blue = [str(p) for p in sorted((photos() / "blue").iterdir())]
    assert ran.code == 0
    assert [line["uri"] for line in ran.lines] == [str(paths[0]), str(paths[1]), *blue, str(paths[3])]
    first, refused, last = ran.lines[0], ran.lines[1], ran.lines[-1]
    assert list(first) == ["uri", "classifierResults", "predicted", "unknown", "oodScore", "modelId"]
    assert first["classifierResults"][0]["label"] == "red"
    assert list(refused) == ["uri", "refused"]
    assert refused["refused"]["code"] == "not_an_image"
    assert last["refused"]["code"] == "file_not_found"
    assert ran.err == "2 of 13 images refused\n"


def test_predict_json_is_what_the_python_call_gives() -> None:
    path = photos() / "green" / "0004.png"
    assert run("predict", model_folder(), path, "--json", "--embedding").lines == [
        json.loads(json.dumps(model().predict(path, embedding=True).to_json()))
    ]


def test_predict_for_people(tmp_path: Path) -> None:
    ran = run("predict", model_folder(), photos() / "green" / "0000.png", tmp_path / "no\nwhere.jpg")
    assert ran.code == 0
    assert ran.out.startswith(f"{photos() / 'green' / '0000.png'}: green (green ")
    assert "no\\nwhere.jpg: refused, " in ran.err
    assert "[file_not_found]" in ran.err


def test_predict_csv(tmp_path: Path) -> None:
    shutil.copy(photos() / "red" / "0000.png", tmp_path / 'a "b", c\n.png')
    ran = run("predict", model_folder(), tmp_path / 'a "b", c\n.png', tmp_path / "nowhere.jpg", "--csv")
    header, first, second = csv.reader(io.StringIO(ran.out))
    assert header == ["uri", "roi", "predicted", "unknown", "ood_score", "p:blue", "p:green", "p:red", "refused"]
    assert first[:4] == [str(tmp_path / 'a "b", c\n.png'), "", "red", "False"]
    assert second == [str(tmp_path / "nowhere.jpg"), *[""] * 7, "file_not_found"]


def test_predict_parquet(tmp_path: Path) -> None:
    ran = run("predict", model_folder(), photos(), "--parquet", tmp_path / "out.parquet")
    assert (ran.code, ran.out) == (0, "")
    assert pl.read_parquet(tmp_path / "out.parquet").height == 30


def test_predict_into_a_file(tmp_path: Path) -> None:
    ran = run("predict", model_folder(), photos() / "red", "--json", "-o", tmp_path / "out.jsonl")
    assert (ran.code, ran.out) == (0, "")
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 10
    ran = run("predict", model_folder(), photos() / "red", "--json", "-o", tmp_path / "no" / "folder" / "out.jsonl")
    assert ran.code == 1
    assert ran.err.endswith("[write_failed]\n")


def test_predict_regions() -> None:
    path = photos() / "red" / "0000.png"
    ran = run("predict", model_folder(), path, "--json", "--roi", "left=0,0,0.5,1", "--roi", "tri=0,0,1,0,0,1")
    assert [line["roi"] for line in ran.lines] == ["left", "tri"]


@pytest.mark.skipif(os.name != "posix", reason="pipes and links of POSIX")
def test_predict_into_a_pipe_and_through_a_link(tmp_path: Path) -> None:
    path = photos() / "red" / "0000.png"
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    assert run("predict", model_folder(), path, "--json", "-o", tmp_path / "pipe").code == 0
    assert json.loads(os.read(reader, 10_000))["uri"] == str(path)
    os.close(reader)
    assert (tmp_path / "pipe").is_fifo()
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "real").write_text("old")
    assert run("predict", model_folder(), path, "--json", "-o", tmp_path / "link").code == 0
    assert (tmp_path / "link").is_symlink()
    assert json.loads((tmp_path / "real").read_text())["uri"] == str(path)


@pytest.mark.parametrize(
    "roi", ["x", "left=0,0,1", "left=0,0,2,1", "left=a,b,c,d", "left=0.5,0,0.5,1", "a=1,0,0,1,", "=[]"]
)
def test_a_wrong_region_is_exit_code_2(roi: str) -> None:
    ran = run("predict", model_folder(), photos() / "red" / "0000.png", "--roi", roi)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("error: ")
    assert ran.err.endswith("[bad_roi]\n")


def test_two_formats_at_once_are_exit_code_2(tmp_path: Path) -> None:
    ran = run("predict", model_folder(), photos(), "--json", "--csv")
    assert (ran.code, ran.err) == (2, "error: choose one of --json, --csv and --parquet [bad_setting]\n")
    ran = run("predict", model_folder(), photos(), "--parquet", tmp_path / "a.parquet", "-o", tmp_path / "b")
    assert (ran.code, ran.err) == (2, "error: --parquet names its file itself, leave out --output [bad_setting]\n")


def test_nothing_answered_is_exit_code_3(tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"no image")
    assert run("predict", model_folder(), tmp_path / "bad.jpg", "--json").code == 3
    (tmp_path / "empty").mkdir()
    ran = run("predict", model_folder(), tmp_path / "empty", "--json")
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith("no images found")


def test_a_missing_model_is_exit_code_1(tmp_path: Path) -> None:
    for arguments in (
        ["predict", tmp_path / "no", photos()],
        ["evaluate", tmp_path / "no", photos()],
        ["model", "show", tmp_path / "no"],
        ["model", "verify", tmp_path / "no"],
        ["model", "export", tmp_path / "no"],
        ["model", "pack", tmp_path / "no", tmp_path / "x.zip"],
    ):
        ran = run(*arguments)
        assert (ran.code, ran.out) == (1, "")
        assert ran.err == (
            f"error: there is no model at {tmp_path / 'no'}: expected a folder with model.json in it, or a .zip of "
            "one; make one with `tellapart train DATA -o MODEL` [model_not_found]\n"
        )


def test_model_show() -> None:
    ran = run("model", "show", model_folder())
    assert ran.code == 0
    assert model().card.model_id in ran.out
    shown = run("model", "show", model_folder(), "--json").json
    assert shown == json.loads((model_folder() / "model.json").read_text())


def test_model_verify(tmp_path: Path) -> None:
    assert run("model", "verify", model_folder()).code == 0
    assert run("model", "verify", model_folder(), "--json").json["golden"] == 3
    folder = own_copy(tmp_path)
    (folder / "report.html").write_text("changed")
    ran = run("model", "verify", folder)
    assert ran.code == 1
    assert ran.err.endswith("[model_damaged]\n")


def test_model_export_and_pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("model", "export", model_folder()).code == 0
    assert (tmp_path / "colours.onnx").is_file()
    assert run("model", "export", model_folder(), "-o", "x.onnx", "--json").json["path"] == "x.onnx"
    assert run("model", "pack", model_folder(), "m.zip").code == 0
    assert run("predict", "m.zip", photos() / "red", "--json").code == 0


def test_data_import_export_and_split(tmp_path: Path) -> None:
    folder = parts(tmp_path)
    assert run("data", "import", folder, "-o", tmp_path / "d.parquet", "--json").json["images"] == 24
    assert run("data", "import", folder, "-o", tmp_path / "d.parquet").code == 1  # exists
    assert run("data", "import", folder, "-o", tmp_path / "d.parquet", "--overwrite").code == 0
    ran = run("data", "export", tmp_path / "d.parquet", "-o", tmp_path / "e.csv", "--to", "csv", "--json")
    assert ran.json["written"] == 24
    ran = run("data", "split", folder, "-o", tmp_path / "s.parquet")
    assert ran.code == 0
    assert "split " in ran.out
    assert set(ta.Dataset.from_parquet(tmp_path / "s.parquet").splits) == {"train", "val", "test"}
    assert run("data", "formats").code == 0
    assert "google_csv" in run("data", "formats").out


def test_data_generate(tmp_path: Path) -> None:
    ran = run("data", "generate", tmp_path / "g", "--parts", 4, "--frames", 2)
    assert ran.code == 0
    assert run("data", "import", tmp_path / "g", "-o", tmp_path / "g.parquet", "--json").json["images"] == 8


def test_backbones_list() -> None:
    assert "classic" in run("backbones", "list").out
    assert "classic" in {entry["name"] for entry in run("backbones", "list", "--json").json}


def test_an_error_is_one_sentence_with_its_code(tmp_path: Path) -> None:
    ran = run("train", tmp_path / "nowhere")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == f"error: there is no file or folder {tmp_path / 'nowhere'} [dataset_not_found]\n"
    ran = run("train", parts(tmp_path), "-o", tmp_path / "m", "--aim", "glory")
    assert ran.code == 2
    assert ran.err.endswith("[bad_setting]\n")
    assert not (tmp_path / "m").exists()


def test_settings_of_the_environment_hold(tmp_path: Path) -> None:
    path = photos() / "red" / "0000.png"
    (line,) = run("predict", model_folder(), path, "--json", TELLAPART_MAX_BYTES="100").lines
    assert line["refused"]["code"] == "file_too_large"
    (line,) = run("predict", model_folder(), path, "--json", TELLAPART_MAX_PIXELS="100").lines
    assert line["refused"]["code"] == "too_many_pixels"
    folder = parts(tmp_path)
    options = ["-o", tmp_path / "m", "--backbone", backbone_file()]
    assert run("train", folder, *options, TELLAPART_CACHE_DIR=str(tmp_path / "cache")).code == 0
    assert {path.name for path in (tmp_path / "cache").iterdir()} >= {"embeddings", "backbones"}
    assert not (tmp_path / "xdg" / "tellapart" / "embeddings").exists()
    assert run("train", folder, *options).code == 0
    assert (tmp_path / "xdg" / "tellapart" / "embeddings").is_dir()
    shutil.rmtree(tmp_path / "xdg")
    assert run("train", folder, *options, "--no-cache").code == 0
    assert not (tmp_path / "xdg" / "tellapart" / "embeddings").exists()


def test_wrong_settings_are_all_told(tmp_path: Path) -> None:
    ran = run("predict", model_folder(), photos(), TELLAPART_MAX_BYTES="many", TELLAPART_SPEED="1")
    assert ran.code == 2
    assert "max_bytes is a whole number of at least 1, got 'many'" in ran.err
    assert "there is no setting 'speed'" in ran.err


@pytest.mark.parametrize(
    ("variables", "option", "wanted"),
    [
        ({}, [], (0, "cpu")),
        ({"TELLAPART_WORKERS": "3"}, [], (3, "cpu")),
        ({"TELLAPART_WORKERS": "3"}, ["--workers", "1"], (1, "cpu")),
        ({"TELLAPART_WORKERS": "3"}, ["--workers", "0"], (0, "cpu")),
        ({"TELLAPART_PROVIDER": "cuda"}, [], (0, "cuda")),
    ],
)
@pytest.mark.parametrize("verb", ["predict", "train", "evaluate"])
def test_workers_and_provider_reach_the_work(
    verb: str,
    variables: dict[str, str],
    option: list[str],
    wanted: tuple[int, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from importlib import import_module

    seen: dict[str, object] = {}

    def record(*_: object, **options: object) -> None:
        seen.update(options)
        raise ta.ModelError(ta.Reason.MODEL_NOT_FOUND, "enough seen")

    monkeypatch.setattr(import_module(f"tellapart.workflows.{verb}"), verb, record)
    paths = [photos()] if verb == "train" else [model_folder(), photos()]
    assert run(verb, *paths, *option, **variables).code == 1
    assert (seen["workers"], seen["provider"]) == wanted


def test_a_provider_that_cannot_run_is_an_error() -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this machine has CUDA")
    ran = run("predict", model_folder(), photos() / "red" / "0000.png", TELLAPART_PROVIDER="cuda")
    assert ran.code == 1
    assert ran.err.endswith("[provider_unavailable]\n")


def test_unlabelled_data_and_labels_of_other_models(tmp_path: Path) -> None:
    write_folders(tmp_path / "new", {"blue": 2, "purple": 2})
    ran = run("evaluate", model_folder(), tmp_path / "new", "-o", tmp_path / "r")
    assert (ran.code, ran.err) == (
        1,
        "error: unknown label 'purple'; this schema knows 'blue', 'green', 'red' [unknown_label]\n",
    )
    assert not (tmp_path / "r").exists()


def test_train_takes_every_option(tmp_path: Path) -> None:
    (tmp_path / "costs.csv").write_text(",bad,good,unknown\nbad,0,9,2\ngood,1,0,2\n")
    (tmp_path / "map.yaml").write_text("rename: {odd: bad}\n")
    ran = run(
        *(
            "train",
            parts(tmp_path),
            "-o",
            tmp_path / "m",
            "--backbone",
            backbone_file(),
            "--labels",
            tmp_path / "map.yaml",
        ),
        *("--task", "binary", "--positive", "bad", "--aim", "least_cost", "--costs", tmp_path / "costs.csv"),
        *("--class-weight", "none", "--label-noise", "drop", "--split", "random", "--name", "caps"),
        *("--golden", 2, "--seed", 5, "--workers", 1),
        *("--preprocess", "decode|upright|squash(24)", "--no-cache"),
    )
    assert (ran.code, ran.err.count("error")) == (0, 0)
    card = json.loads((tmp_path / "m" / "model.json").read_text())
    assert (card["name"], card["task"], card["positive"]) == ("caps", "binary", "bad")
    assert card["preprocess"] == "decode|upright|squash(24)"
    assert (card["head"]["class_weight"], card["head"]["label_noise"]) == ("none", "drop")
    assert len(list((tmp_path / "m" / "golden").glob("*.png"))) == 2
    assert CLASSES


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_an_output_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    ran = run("train", parts(tmp_path), "-o", tmp_path / "locked" / "m", "--backbone", backbone_file())
    assert ran.code == 1
    assert ran.err.endswith("[write_failed]\n")


def test_names_of_any_bytes_are_printed(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    (folder / "red").mkdir(parents=True)
    for name in (b"caf\xe9.png", "größe 画像 🐸.png".encode(), b"new\nline.png"):
        with open(os.fsencode(folder / "red") + b"/" + name, "wb") as file:
            file.write(png_bytes(class_picture(2, 3)))
    ran = run("predict", model_folder(), folder, "--json")
    assert ran.code == 0
    assert sorted(("refused" in line, line["uri"].rsplit("/", 1)[1]) for line in ran.lines) == [
        (False, "größe 画像 🐸.png"),
        (False, "new\nline.png"),
        (True, "caf\\xe9.png"),
    ]
    ran.out.encode("utf-8")
    text = run("predict", model_folder(), folder)
    assert "new\\nline.png" in text.out
    direct = run("predict", model_folder(), os.fsdecode(os.fsencode(folder / "red") + b"/caf\xe9.png"), "--json")
    assert direct.code == 0
    direct.out.encode("utf-8")
