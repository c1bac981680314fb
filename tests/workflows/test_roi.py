"""Pictures of regions, of images and of cameras, from Python and from the command line."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from tests.builders import png_bytes
from tests.cli.command import run

from tellapart.errors import ImageError, Reason, SettingsError, StreamError
from tellapart.records.roi import Roi
from tellapart.workflows.roi import draw_regions, draw_stream_regions


def photo(path: Path, size: tuple[int, int] = (64, 48), value: int = 200) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png_bytes(np.full((size[1], size[0], 3), value, np.uint8)))
    hour_ago = time.time() - 3600
    os.utime(path, (hour_ago, hour_ago))
    return path


def stream(tmp_path: Path, **cameras: object) -> Path:
    value = {"stream": 1, "name": "hall", "models": {"m": "model"}, "cameras": cameras}
    path = tmp_path / "stream.yaml"
    path.write_text(yaml.safe_dump(value, sort_keys=False))
    return path


def test_sizes_are_those_that_a_model_gets(tmp_path: Path) -> None:
    rois = [Roi(((0.5, 0.0), (1.0, 0.5)), "corner"), Roi(((0.0, 0.0), (0.5, 0.0), (0.25, 1.0)), "wedge")]
    drawn = draw_regions(photo(tmp_path / "a.png"), rois, output=tmp_path / "out" / "drawn.png")
    assert drawn.size == (64, 48)
    assert [one.pixels for one in drawn.regions] == [(32, 24), (32, 48)]
    assert drawn.regions[0].told() == "corner: rectangle 0.5, 0 to 1, 0.5; 32 × 24 pixels"
    assert drawn.regions[1].told() == "wedge: 3 corners in 0, 0 to 0.5, 1; 32 × 48 pixels"
    with Image.open(tmp_path / "out/drawn.png") as picture:
        assert picture.size[0] >= 640


def test_a_region_without_area_is_refused_and_nothing_written(tmp_path: Path) -> None:
    flat = Roi(((0.0, 0.0), (0.5, 0.5), (1.0, 1.0)), "flat")
    with pytest.raises(ImageError) as caught:
        draw_regions(photo(tmp_path / "a.png"), [flat], output=tmp_path / "drawn.png")
    assert caught.value.reason is Reason.ROI_EMPTY
    assert not (tmp_path / "drawn.png").exists()


def test_each_camera_of_a_stream_has_a_picture_of_its_first_image(tmp_path: Path) -> None:
    for name in ("left", "right"):
        photo(tmp_path / name / "a.png", (64, 48) if name == "left" else (32, 32))
    regions = {"door": {"rect": [0.1, 0.1, 0.6, 0.6]}, "all": {}}
    file = stream(tmp_path, left={"source": "left", "regions": regions}, right={"source": "right"})
    drawn = draw_stream_regions(file, output=tmp_path / "out", wait_s=60)
    assert [(one.camera, one.path, one.size) for one in drawn] == [
        ("left", tmp_path / "out/left.png", (64, 48)),
        ("right", tmp_path / "out/right.png", (32, 32)),
    ]
    assert [(one.roi.name, one.pixels) for one in drawn[0].regions] == [("door", (33, 25)), ("all", (64, 48))]
    assert all(one.path.is_file() for one in drawn)


def test_an_image_takes_the_place_of_the_camera(tmp_path: Path) -> None:
    file = stream(tmp_path, gate={"source": "rtsp://nowhere.invalid/1", "regions": {"r": {"rect": [0, 0, 1, 0.5]}}})
    drawn = draw_stream_regions(file, output=tmp_path / "gate.png", image=photo(tmp_path / "a.png"))
    assert [one.to_json() for one in drawn] == [
        {
            "camera": "gate",
            "path": str(tmp_path / "gate.png"),
            "size": [64, 48],
            "regions": [{"name": "r", "points": [[0.0, 0.0], [1.0, 0.5]], "pixels": [64, 24]}],
        }
    ]


def test_a_camera_without_a_picture_is_an_error_in_time(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    file = stream(tmp_path, gate={"source": "empty"})
    with pytest.raises(StreamError) as caught:
        draw_stream_regions(file, output=tmp_path / "gate.png", wait_s=0.3)
    assert caught.value.reason is Reason.SOURCE_LOST
    assert str(caught.value).startswith("the camera 'gate' gave no picture within 0.3 s")
    assert str(caught.value).endswith(": wait longer, or give an image of it")
    assert not (tmp_path / "gate.png").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"camera": "c"}, "the stream has no camera 'c', its cameras are 'a', 'b'"),
        ({"image": "x.png"}, "an image stands for one camera: name it, there are 'a', 'b'"),
        ({}, "is one picture, and 2 cameras have one each: name a folder, or a camera of 'a', 'b'"),
    ],
)
def test_what_cannot_be_drawn_is_said(tmp_path: Path, options: dict[str, str], message: str) -> None:
    file = stream(tmp_path, a={"source": "one"}, b={"source": "two"})
    with pytest.raises(SettingsError) as caught:
        draw_stream_regions(file, output=tmp_path / "one.png", **options)  # type: ignore[arg-type]
    assert str(caught.value).endswith(message)


def test_the_image_itself_is_never_written_over(tmp_path: Path) -> None:
    image = photo(tmp_path / "a.png")
    before = image.read_bytes()
    (tmp_path / "link.png").symlink_to(image)
    file = stream(tmp_path, left={"source": "left"})
    for output in (image, tmp_path / "link.png"):
        message = "is the image itself, which would be lost: name another file to write to"
        with pytest.raises(SettingsError, match=message):
            draw_regions(image, output=output)
        with pytest.raises(SettingsError, match=message):
            draw_stream_regions(file, image=image, output=output)
    assert image.read_bytes() == before


def test_an_image_that_cannot_be_decoded_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "left").mkdir()
    (tmp_path / "left" / "a.png").write_bytes(b"broken")
    photo(tmp_path / "left" / "b.png", (32, 32))
    file = stream(tmp_path, left={"source": "left"})
    assert draw_stream_regions(file, output=tmp_path / "x.png", wait_s=60)[0].size == (32, 32)
    (tmp_path / "left" / "b.png").unlink()
    with pytest.raises(StreamError, match=r"gave no picture within 2 s \(.*a\.png: not an image"):
        draw_stream_regions(file, output=tmp_path / "x.png", wait_s=2)


def test_cameras_whose_names_are_alike_have_a_file_each(tmp_path: Path) -> None:
    photo(tmp_path / "in" / "a.png")
    drawn = draw_stream_regions(
        stream(tmp_path, **{"line 1": {"source": "in"}, "line_1": {"source": "in"}}), output=tmp_path / "out", wait_s=60
    )
    assert [one.path.name for one in drawn] == ["line_1.png", "line_1 (2).png"]
    assert all(one.path.exists() for one in drawn)


def test_the_command_draws_an_image(tmp_path: Path) -> None:
    image = photo(tmp_path / "a.png")
    ran = run("roi", "draw", image, "--roi", "cap=0.25,0,0.75,0.5", "-o", tmp_path / "out.png")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == (
        f"{tmp_path / 'out.png'}: 64 × 48 pixels\n  cap: rectangle 0.25, 0 to 0.75, 0.5; 32 × 24 pixels\n"
    )
    told = run("roi", "draw", image, "-o", tmp_path / "grid.png", "--json")
    assert told.json == [{"path": str(tmp_path / "grid.png"), "size": [64, 48], "regions": []}]


def test_the_command_draws_a_camera(tmp_path: Path) -> None:
    photo(tmp_path / "left/a.png")
    file = stream(tmp_path, left={"source": "left"}, right={"source": "nowhere"})
    ran = run("roi", "draw", file, "--camera", "left", "--wait", 60, "-o", tmp_path / "out.png")
    assert (ran.code, ran.out) == (0, f"{tmp_path / 'out.png'}: 64 × 48 pixels of left\n")


def test_options_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    image, file = photo(tmp_path / "a.png"), stream(tmp_path, a={"source": "one"})
    ran = run("roi", "draw", file, "--roi", "x=0,0,1,1", "-o", tmp_path / "o.png")
    assert ran.err == f"error: --roi does not go with {file}: a stream file has regions of its own [bad_setting]\n"
    ran = run("roi", "draw", image, "--camera", "a", "-o", tmp_path / "o.png")
    assert ran.err == f"error: --camera does not go with {image}: it is for stream files (.yaml) [bad_setting]\n"
