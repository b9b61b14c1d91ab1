"""What a model file is, by its content, without loading it: safetensors (a JSON header and plain numbers) or ONNX (a
protobuf message). Neither can hold code that runs when it is read; a pickle is code, and is never opened.
"""

import json
import struct
from typing import Literal

from core.inference.errors import ModelTruncated, UnknownModelFormat

Format = Literal["onnx", "safetensors"]
_LENGTH = struct.Struct("<Q")
_MAX_HEADER = 1024 * 1024
# ONNX's ModelProto: field 1, a varint, is the version of the format, and every writer puts it first; 7 is the graph, 8
# the operators that it is made of. No model is without.
_IR_VERSION, _NEEDED = 0x08, {7, 8}
# A tensor that is kept in another file is named by an entry with this key (onnx.proto3, TensorProto.external_data).
_ELSEWHERE = b"\x0a\x08location"
_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5


def format_of(data: bytes) -> Format:
    """Raises UnknownModelFormat, ModelTruncated."""
    if len(data) > _LENGTH.size and data[_LENGTH.size] == ord("{"):
        _check_safetensors(data)
        return "safetensors"
    if data[:1] == bytes([_IR_VERSION]):
        _check_onnx(data)
        return "onnx"
    raise UnknownModelFormat("the file is neither ONNX nor safetensors")


def _check_safetensors(data: bytes) -> None:
    """As https://huggingface.co/docs/safetensors: the header's length, the header, the tensors' bytes."""
    (length,) = _LENGTH.unpack_from(data)
    if length > _MAX_HEADER:
        raise UnknownModelFormat(f"a header of {length} bytes is none of safetensors")
    body = len(data) - _LENGTH.size - length
    if body < 0:
        raise ModelTruncated("the file ends within its header")
    try:
        header = json.loads(data[_LENGTH.size : _LENGTH.size + length])
        ends = [int(tensor["data_offsets"][1]) for name, tensor in header.items() if name != "__metadata__"]
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise UnknownModelFormat("the header is none of safetensors") from error
    if max(ends, default=0) != body:
        raise ModelTruncated(f"the tensors take {max(ends, default=0)} bytes, and {body} are there")


def _check_onnx(data: bytes) -> None:
    place, found = 0, set[int]()
    while place < len(data):
        tag, place = _varint(data, place)
        place = _after(data, place, tag & 7)
        found.add(tag >> 3)
    if place != len(data):
        raise ModelTruncated("the file ends within a field")
    if not found >= _NEEDED:
        raise UnknownModelFormat("the file has no graph, or does not say of which operators")
    if _ELSEWHERE in data:
        raise UnknownModelFormat("the model keeps tensors in other files")


def _after(data: bytes, place: int, kind: int) -> int:
    if kind == _VARINT:
        return _varint(data, place)[1]
    if kind == _BYTES:
        length, place = _varint(data, place)
        return place + length
    if kind in (_FIXED_64, _FIXED_32):
        return place + (8 if kind == _FIXED_64 else 4)
    raise UnknownModelFormat("the file is no protobuf message")


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while place < len(data):
        byte = data[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:  # noqa: PLR2004  the top bit says that there is more
            return value, place
        if shift > 63:  # noqa: PLR2004  of 64 bits
            raise UnknownModelFormat("the file is no protobuf message")
    raise ModelTruncated("the file ends within a number")
