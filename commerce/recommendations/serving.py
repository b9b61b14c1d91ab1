"""The model of what is bought together, as a process serves it."""

from datetime import timedelta
from typing import TYPE_CHECKING

from core.inference.artifacts import Manifest
from core.inference.serving import ModelType

if TYPE_CHECKING:
    from commerce.recommendations.copurchase import Table


def _load(_manifest: Manifest, data: bytes) -> "Table":
    from commerce.recommendations.copurchase import Table  # noqa: PLC0415  with numpy, where there is a model

    return Table.load(data)


def _probe(table: "Table", _manifest: Manifest) -> None:
    table.check()


# Trained each night. What goes together changes slowly: after a month of failures the rule of popularity knows more.
RECOMMENDATIONS: ModelType["Table"] = ModelType("recommendations", _load, _probe, max_age=timedelta(days=30))
