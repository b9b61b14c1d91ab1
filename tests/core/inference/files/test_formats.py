"""What a file is by its content: ONNX and safetensors are told, whole ones alone, and nothing else is let in."""

import io
import json
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from skl2onnx import to_onnx
from sklearn.ensemble import GradientBoostingRegressor

from core.inference.errors import ModelTruncated, UnknownModelFormat
from core.inference.formats import format_of
from tests.factories.model_files import an_onnx, tensors


def a_forest() -> bytes:
    rows = np.arange(20, dtype=np.float32).reshape(-1, 1)
    fitted = GradientBoostingRegressor(n_estimators=3, random_state=0).fit(rows, rows.ravel())
    made: bytes = to_onnx(fitted, rows[:1], target_opset={"": 21, "ai.onnx.ml": 3}).SerializeToString()
    return made


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("data.pkl", pickle.dumps([1]))
    return file.getvalue()


def a_header(text: str, body: bytes = b"") -> bytes:
    return struct.pack("<Q", len(text)) + text.encode() + body


def elsewhere(folder: Path) -> bytes:
    """A model whose numbers are in another file."""
    model = an_onnx()
    model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(np.ones(1, np.float32), "factor"))
    path = folder / "model.onnx"
    onnx.save_model(model, path, save_as_external_data=True, location="passwd", size_threshold=0)
    return path.read_bytes()


def test_formats_are_told_by_content() -> None:
    assert format_of(tensors(a=[1, 2])) == "safetensors"
    assert format_of(an_onnx().SerializeToString()) == "onnx"
    assert format_of(a_forest()) == "onnx"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle_is_refused(protocol: int) -> None:
    with pytest.raises(UnknownModelFormat):
        format_of(pickle.dumps({"weights": [1.0]}, protocol))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x08",
        b"{}",
        zipped(),
        b"\x00" * 100,
        a_header("{}}"),
        a_header("[1]"),
        a_header('{"a": {"shape": [1]}}'),
        struct.pack("<Q", 2**40) + b"{}",
        b"\x08\x0a",  # a version, and no graph
        b"\x08\x0a\x0b",  # a group, which ONNX has none of
        b"\x08" + b"\xff" * 12,
    ],
)
def test_what_is_neither_is_refused(data: bytes) -> None:
    with pytest.raises((UnknownModelFormat, ModelTruncated)):
        format_of(data)


def test_file_that_is_cut_off_or_longer_is_refused_wherever_that_is() -> None:
    for whole in (tensors(a=[1, 2, 3]), an_onnx().SerializeToString()):
        for length in range(len(whole)):
            with pytest.raises((UnknownModelFormat, ModelTruncated)):
                format_of(whole[:length])
        with pytest.raises((UnknownModelFormat, ModelTruncated)):
            format_of(whole + b"\x00")


def test_onnx_that_names_another_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownModelFormat, match="other files"):
        format_of(elsewhere(tmp_path))


def test_offset_that_is_no_number_is_refused() -> None:
    header = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, None]}})

    with pytest.raises(UnknownModelFormat):
        format_of(a_header(header, b"\x00" * 4))
