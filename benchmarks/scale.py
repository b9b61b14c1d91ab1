"""Pages of 1,000 to 1,000,000 products, in one process: how long the reads take that a shop's pages are made of.

Each read is the domain's own, on a database that no other reads; the first of each is not counted. A page is flat where
the largest shop's takes no longer than three times the smallest's, or a millisecond.
"""

import asyncio
import os
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks import big_rows, big_shop
from benchmarks.report import Row
from commerce.accounts.principal import SHOP, Principal
from commerce.catalog.filters import SORT_NAMES, ProductFilter, SortName
from commerce.catalog.reading import CatalogReader
from commerce.schema import migrations
from core.database import Database
