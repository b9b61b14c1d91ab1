"""Mail without a mail server: RFC 5322 files in a folder, one a message."""

import asyncio
import os
import tempfile
from contextlib import suppress
from email.message import EmailMessage
from pathlib import Path

from core.mail.errors import MailUnavailable


class OutboxMailer:
    """The file is named for the Message-ID: a message that is sent again takes the place of itself."""

    def __init__(self, folder: Path, sender: str) -> None:
        self._folder = folder
        self.sender = sender

    async def send(self, message: EmailMessage) -> None:
        await asyncio.to_thread(self._write, message)

    async def check(self) -> str:
        await asyncio.to_thread(self._try)
        return f"files in {self._folder}"

    def _try(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self._folder):
                pass
        except OSError as error:
            raise MailUnavailable(f"{self._folder} cannot be written") from error

    def _write(self, message: EmailMessage) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        name = str(message["Message-ID"]).strip("<>").partition("@")[0]
        descriptor, draft = tempfile.mkstemp(dir=self._folder, prefix=f".{name}-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(message.as_bytes())
                file.flush()
                os.fsync(file.fileno())
            Path(draft).replace(self._folder / f"{name}.eml")
        finally:
            with suppress(FileNotFoundError):
                Path(draft).unlink()
