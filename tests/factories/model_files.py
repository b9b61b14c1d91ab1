"""Model files as tests make them: small, and real."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper
from safetensors.numpy import save

from commerce.recommendations.copurchase import Table


def tensors(**named: Sequence[float]) -> bytes:
    return save({name: np.asarray(values, np.float32) for name, values in named.items()})


def an_onnx(factor: float = 2.0) -> onnx.ModelProto:
    """Multiplies by `factor` what it is given."""
    number = helper.make_tensor("factor", TensorProto.FLOAT, [1], [factor])
    graph = helper.make_graph(
        [helper.make_node("Mul", ["X", "factor"], ["variable"])],
        "times",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, ["n", 1])],
        [helper.make_tensor_value_info("variable", TensorProto.FLOAT, ["n", 1])],
        [number],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def a_table(neighbours: Mapping[str, Sequence[str]]) -> Table:
    """Each product's neighbours, the best first."""
    ids = sorted({*neighbours, *(other for each in neighbours.values() for other in each)})
    place = {product_id: number for number, product_id in enumerate(ids)}
    rows: list[list[int]] = [[place[other] for other in neighbours.get(product_id, ())] for product_id in ids]
    columns: list[int] = [column for row in rows for column in row]
    scores: list[Any] = [1 / (number + 1) for row in rows for number in range(len(row))]
    return Table(
        np.array([each.encode() for each in ids], np.bytes_),
        np.cumsum([0, *map(len, rows)], dtype=np.int64),
        np.array(columns, np.int32),
        np.array(scores, np.float32),
    )
