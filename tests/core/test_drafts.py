"""Files without a name: written, read, and gone."""

from pathlib import Path

import pytest

from core.drafts import draft


async def test_draft_is_on_the_disk_of_its_folder_under_no_name(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "there"

    async with draft(folder) as file:
        file.write(b"x" * 1_000_000)
        file.seek(0)

        assert file.read() == b"x" * 1_000_000
        assert list(folder.iterdir()) == []


async def test_draft_is_closed_whatever_happens(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        async with draft(tmp_path) as file:
            raise ZeroDivisionError

    assert file.closed
