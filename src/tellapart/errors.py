"""The one exception tree of tellapart.

::

    TellapartError
    ├── ImageError      one image cannot be used (the run goes on, the file is listed)
    ├── SpecError       a preprocess string, region or other declared value does not say what it must
    ├── DataError       a data set cannot be read, written or split as asked
    ├── ModelError      a model folder cannot be read, written or trusted
    ├── BackboneError   a backbone cannot be loaded or run
    ├── TrainingError   the data does not suffice for what was asked
    ├── SettingsError   an option or setting has a value it cannot have
    └── MissingExtra    a feature needs an optional library that is not installed

Every error carries a `Reason`: a stable code that programs may rely on. The sentence may change, the code may not.
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Stable reason codes. `docs/errors.md` explains each of them; a test checks that it does."""

    # one image
    FILE_NOT_FOUND = "file_not_found"
    NOT_A_FILE = "not_a_file"
    PERMISSION_DENIED = "permission_denied"
    READ_FAILED = "read_failed"
    EMPTY_FILE = "empty_file"
    FILE_TOO_LARGE = "file_too_large"
    TOO_MANY_PIXELS = "too_many_pixels"
    TOO_MANY_FRAMES = "too_many_frames"
    FRAME_NOT_FOUND = "frame_not_found"
    NOT_AN_IMAGE = "not_an_image"
    UNSUPPORTED_FORMAT = "unsupported_format"
    TRUNCATED = "truncated"
    CORRUPT = "corrupt"
    NEEDS_INTENSITY = "needs_intensity"
    ROI_EMPTY = "roi_empty"
    # declared values
    BAD_SPEC = "bad_spec"
    BAD_ROI = "bad_roi"
    BAD_SETTING = "bad_setting"
    BAD_POLICY = "bad_policy"
    # data sets
    DATASET_NOT_FOUND = "dataset_not_found"
    DATASET_EMPTY = "dataset_empty"
    DATASET_FORMAT = "dataset_format"
    BAD_ROW = "bad_row"
    OUTSIDE_ROOT = "outside_root"
    DUPLICATE_ROW = "duplicate_row"
    FIELD_TOO_LARGE = "field_too_large"
    LABEL_CONFLICT = "label_conflict"
    UNKNOWN_LABEL = "unknown_label"
    UNLABELLED = "unlabelled"
    BAD_LABEL_MAP = "bad_label_map"
    EXCLUDED = "excluded"
    FOREIGN_VECTORS = "foreign_vectors"
    INDEX_NOT_FOUND = "index_not_found"
    INDEX_DAMAGED = "index_damaged"
    INDEX_TOO_NEW = "index_too_new"
    INDEX_IN_USE = "index_in_use"
    WRITE_FAILED = "write_failed"
    OUTPUT_EXISTS = "output_exists"
    # models and backbones
    MODEL_NOT_FOUND = "model_not_found"
    MODEL_INCOMPLETE = "model_incomplete"
    MODEL_DAMAGED = "model_damaged"
    MODEL_TOO_NEW = "model_too_new"
    MODEL_IN_USE = "model_in_use"
    MODEL_CHANGED = "model_changed"
    CLASSES_FIXED = "classes_fixed"
    GOLDEN_MISMATCH = "golden_mismatch"
    EXPORT_MISMATCH = "export_mismatch"
    QUANTIZATION_LOSS = "quantization_loss"
    BACKBONE_UNKNOWN = "backbone_unknown"
    BACKBONE_INVALID = "backbone_invalid"
    LICENCE_NOT_ACCEPTED = "licence_not_accepted"
    NETWORK_UNAVAILABLE = "network_unavailable"
    DOWNLOAD_FAILED = "download_failed"
    CHECKSUM_MISMATCH = "checksum_mismatch"
    PROVIDER_UNAVAILABLE = "provider_unavailable"
    # streams and decisions
    BAD_STREAM = "bad_stream"
    SOURCE_LOST = "source_lost"
    SINK_FAILED = "sink_failed"
    STREAM_IN_USE = "stream_in_use"
    RECORDING_DAMAGED = "recording_damaged"
    DECISION_NOT_FOUND = "decision_not_found"
    # training and evaluation
    TOO_FEW_CLASSES = "too_few_classes"
    TOO_FEW_IMAGES = "too_few_images"
    TOO_FEW_EPISODES = "too_few_episodes"
    NO_TEST_DATA = "no_test_data"
    JOB_DAMAGED = "job_damaged"
    JOB_DIFFERS = "job_differs"
    DIVERGED = "diverged"
    OUT_OF_MEMORY = "out_of_memory"
    PROCESS_DIED = "process_died"
    SEARCH_FAILED = "search_failed"
    COLLAPSED = "collapsed"
    UNKNOWN_NAME = "unknown_name"
    MISSING_EXTRA = "missing_extra"


class TellapartError(Exception):
    """Root of the tree: `reason` is the stable code, `str(error)` the sentence for people."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason

    def __reduce__(self) -> tuple[type[TellapartError], tuple[Reason, str]]:
        """Pickle between processes: the default would call the class with the message alone."""
        return type(self), (self.reason, str(self))


class ImageError(TellapartError):
    """One image cannot be used."""


class SpecError(TellapartError):
    """A declared value (preprocess string, region, policy) does not say what it must."""


class DataError(TellapartError):
    """A data set cannot be read, written or split as asked."""


class ModelError(TellapartError):
    """A model folder cannot be read, written or trusted."""


class BackboneError(TellapartError):
    """A backbone cannot be loaded or run."""


class StreamError(TellapartError):
    """A camera is lost, or what should go out or be kept cannot be written."""


class TrainingError(TellapartError):
    """The data does not suffice for what was asked."""


class SettingsError(TellapartError):
    """An option or setting has a value it cannot have."""


class MissingExtra(TellapartError):
    """A feature needs an optional library that is not installed."""
