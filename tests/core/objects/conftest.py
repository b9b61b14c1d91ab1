"""Every kind of store: a local folder, memory, and S3."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.objects import Objects
from core.objects.opening import open_objects


@pytest.fixture(params=["file", "memory", "s3"])
def objects_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "s3":
        url: str = request.getfixturevalue("s3_url")
        return url
    return f"file://{tmp_path / 'with space' / 'objects'}" if request.param == "file" else "memory://"


@pytest.fixture
async def objects(objects_url: str) -> AsyncIterator[Objects]:
    async with open_objects(objects_url) as opened:
        yield opened
