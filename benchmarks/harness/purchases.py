"""Real purchases: 1.5 million lines of 155,848 baskets of a year (84.51°, "The Complete Journey", for research and
education alone). Installed beside the peers, read there, and never copied.
"""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.harness.install import PEERS, python_of


@dataclass(frozen=True, slots=True)
class Purchases:
    """Of one length, a line each. `days` count from 1970 on."""

    baskets: Any
    products: Any
    units: Any
    days: Any

    def where(self, chosen: Any) -> "Purchases":
        return Purchases(self.baskets[chosen], self.products[chosen], self.units[chosen], self.days[chosen])


def purchases() -> Purchases:
    """Raises NotInstalled."""
    python = python_of("completejourney")
    with TemporaryDirectory() as folder:
        program = PEERS / "completejourney" / "purchases.py"
        subprocess.run([python, program, folder], check=True, timeout=120)
        read = {name: np.load(Path(folder) / f"{name}.npy") for name in ("baskets", "products", "units", "days")}
    order = np.lexsort((read["products"], read["baskets"], read["days"]))
    return Purchases(**{name: values[order] for name, values in read.items()})
