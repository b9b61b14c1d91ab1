"""Why a model is refused. None of these ends a request: what served before, or something simpler, answers.

ModelRefused              not to be served (model_refused)
├── UnknownModelFormat    neither ONNX nor safetensors
├── ModelTruncated        shorter than it says
├── ModelTooLarge         more than a process may hold of one
├── ModelHashMismatch     other bytes than were published
├── ModelFileMissing      no bytes at all
├── ModelFailedProbe      it loads, and its answers cannot be used
└── ModelTooOld           trained too long ago
"""

from core.errors import Invalid, NotFound


class ModelRefused(Invalid):
    """The file is no model that may be served. What was served before goes on."""

    code = "model_refused"
    title = "Model refused"


class UnknownModelFormat(ModelRefused):
    """Models are ONNX or safetensors files, recognised by their content. Anything else, pickles above all, is refused:
    to read them would run what is in them.
    """

    code = "unknown_model_format"
    title = "Unknown model format"


class ModelTruncated(ModelRefused):
    """The file ends before what it says of itself, or goes on after it."""

    code = "model_truncated"
    title = "Model file cut off"


class ModelTooLarge(ModelRefused):
    """The file is larger than a process may hold of one model."""

    code = "model_too_large"
    title = "Model too large"


class ModelHashMismatch(ModelRefused):
    """The file is not the one that was published: its SHA-256 is another."""

    code = "model_hash_mismatch"
    title = "Model hash mismatch"


class ModelFileMissing(ModelRefused):
    """The version is known, and its file is not there any more."""

    code = "model_file_missing"
    title = "Model file missing"


class ModelFailedProbe(ModelRefused):
    """The model loads, but its answers have another shape, are not finite, or are worse than those of the simpler rule
    that it is compared with.
    """

    code = "model_failed_probe"
    title = "Model failed its probe"


class ModelTooOld(ModelRefused):
    """The model was trained longer ago than its answers are good for."""

    code = "model_too_old"
    title = "Model too old"


class ModelVersionNotFound(NotFound):
    """There is no model of this name, or no such version of it. Old versions are forgotten."""

    code = "model_version_not_found"
    title = "Model version not found"
