"""Backbones: from pixels to embeddings and feature maps, as ONNX files of one form."""

import os

# ONNX Runtime's releases of 2026 report every process, session and model to their makers, and leave an identifier in the user's
# cache folder, unless they are told not to before they are imported (https://github.com/microsoft/onnxruntime/pull/27379 and
# /29843). Nothing in tellapart uses the network unasked; who wants the reports sets these variables to 0.
for _variable in ("ORT_DISABLE_TELEMETRY", "ORT_TELEMETRY_DISABLED"):
    os.environ.setdefault(_variable, "1")
