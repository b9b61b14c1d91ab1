"""The files of vectors that the processes of a host share: which is the newest, and who writes the next."""

import fcntl
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_NAME = re.compile(r"(fill_[0-9a-z]+)-(\d{16})\.vectors")


@dataclass(frozen=True, slots=True)
class MatrixFiles:
    """Of one folder. A name says of which filling and of which version of the vectors a file is."""

    folder: Path

    def path(self, filling: str, version: int) -> Path:
        return self.folder / f"{filling}-{version:016}.vectors"

    def newest(self, filling: str, version: int) -> Path | None:
        """Of this filling, and no newer than the vectors are: those are of a database that was put back since."""
        found = [file for file in self._all() if self._said(file)[0] == filling and self._said(file)[1] <= version]
        return max(found, default=None)  # names sort as versions do

    def remove_others(self, kept: Path) -> None:
        """Who has one mapped still reads it."""
        for file in self._all():
            if file != kept:
                file.unlink(missing_ok=True)
        for file in self.folder.glob("*.part"):  # of a process that died: who calls this has the lock
            file.unlink(missing_ok=True)

    @contextmanager
    def writing(self) -> Iterator[bool]:
        """Whether this process may write now: one of a host at a time. The lock ends with its process."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "writing.lock").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True

    def _all(self) -> list[Path]:
        return [file for file in self.folder.glob("*.vectors") if _NAME.fullmatch(file.name)]

    @staticmethod
    def _said(file: Path) -> tuple[str, int]:
        match = _NAME.fullmatch(file.name)
        assert match is not None  # noqa: S101  as `_all` has them
        return match[1], int(match[2])
