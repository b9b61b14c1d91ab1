"""Which handles and SKUs a file has named before, and where: in a private SQLite file, for files of any size."""

import sqlite3
from collections.abc import Mapping
from itertools import chain
from types import TracebackType
from typing import Self

_MOST = 10_000  # names in one statement, of two values each: SQLite binds 32,766


class Seen:
    """Per import. Its file has no name and goes with the connection; what fits in a few megabytes never reaches it."""

    def __init__(self) -> None:
        # Opened and closed by the importer, used by its reader's thread.
        self._connection = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        for statement in (
            "PRAGMA journal_mode=MEMORY",  # a statement that is refused must leave nothing behind
            "PRAGMA synchronous=OFF",
            "PRAGMA cache_size=-8000",
            "CREATE TABLE seen (name TEXT PRIMARY KEY, line INTEGER NOT NULL) WITHOUT ROWID",
            "BEGIN",
        ):
            self._connection.execute(statement)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._connection.close()

    def all_new(self, handles: Mapping[str, int], skus: Mapping[str, int]) -> bool:
        """Whether none of them stood before; only then are all remembered. Never of more than ten thousand."""
        names = {f"s{sku}": line for sku, line in skus.items()}
        names |= {f"h{handle}": line for handle, line in handles.items()}
        if len(names) > _MOST:
            return False
        try:
            self._remember(names)
        except sqlite3.IntegrityError:
            return False
        return True

    def handle(self, handle: str, line: int) -> int | None:
        """The line where the handle stood before; if it did not, it is remembered."""
        return self._claim({f"h{handle}": line}).get(f"h{handle}")

    def skus(self, lines: Mapping[str, int]) -> dict[str, int]:
        """Those SKUs that stood before, and where; if none did, all are remembered."""
        found = self._claim({f"s{sku}": line for sku, line in lines.items()})
        return {name[1:]: line for name, line in found.items()}

    def _claim(self, names: dict[str, int]) -> dict[str, int]:
        if not names:
            return {}
        marks = ",".join("?" * len(names))
        taken = self._connection.execute(f"SELECT name, line FROM seen WHERE name IN ({marks})", list(names))  # noqa: S608  only marks
        found: dict[str, int] = dict(taken.fetchall())
        if not found:
            self._remember(names)
        return found

    def _remember(self, names: dict[str, int]) -> None:
        """Raises sqlite3.IntegrityError where one is there, and then remembers none."""
        if not names:
            return
        rows = ",".join(["(?,?)"] * len(names))
        self._connection.execute(f"INSERT INTO seen VALUES {rows}", [*chain.from_iterable(names.items())])  # noqa: S608  only marks
