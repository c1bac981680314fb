from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellapart.errors import Reason, SettingsError
from tellapart.image.types import DecodeLimits
from tellapart.settings import Settings
from tellapart.settings.settings import _WANTED


def test_defaults_agree_with_the_decoder() -> None:
    settings, limits = Settings.from_mapping({}), DecodeLimits()
    assert (settings.max_bytes, settings.max_pixels, settings.max_frames) == (
        limits.max_bytes,
        limits.max_pixels,
        limits.max_frames,
    )


def test_text_becomes_values() -> None:
    text = {"cache_dir": "cache", "max_bytes": "1000", "workers": "3", "provider": "cuda"}
    settings = Settings.from_mapping(text)
    assert settings.cache_dir == Path("cache")
    assert (settings.max_bytes, settings.workers, settings.provider) == (1000, 3, "cuda")


def test_an_empty_variable_means_not_set() -> None:
    settings = Settings.from_mapping({"cache_dir": "", "workers": ""})
    assert settings.cache_dir is None
    assert settings.workers is None


def test_all_faults_are_listed_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_mapping({"max_pixels": "many", "worker": "2", "workers": "0", "provider": "tpu"})
    assert caught.value.reason is Reason.BAD_SETTING
    assert str(caught.value) == (
        "the settings cannot be used: max_pixels is a whole number of at least 1, got 'many'; "
        "workers is a whole number of at least 1, got '0'; provider is 'cpu', 'cuda', 'openvino' or 'auto', got 'tpu'; "
        "there is no setting 'worker', known are cache_dir, max_bytes, "
        "max_pixels, max_frames, workers, provider; did you mean 'workers'?"
    )


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings.from_mapping({}).workers = 2  # type: ignore[misc]


def test_every_setting_has_words_for_its_faults() -> None:
    assert set(_WANTED) == set(Settings.model_fields)


@given(st.dictionaries(st.sampled_from([*Settings.model_fields, "other"]), st.text() | st.integers() | st.none()))
def test_anything_gives_settings_or_a_settings_error(values: dict[str, object]) -> None:
    try:
        result: Settings | SettingsError = Settings.from_mapping(values)
    except SettingsError as error:
        result = error
    assert isinstance(result, Settings) or result.reason is Reason.BAD_SETTING
