"""What sends mail: a mail server, or a folder where there is none."""

from email.message import EmailMessage
from typing import Protocol

from core.mail.outbox import OutboxMailer
from core.mail.smtp import SmtpMailer
from core.settings import Settings


class Mailer(Protocol):
    """Per process. `sender` is the address that its messages are from."""

    @property
    def sender(self) -> str: ...

    async def send(self, message: EmailMessage) -> None:
        """To the addresses in To. A message that is sent again has the Message-ID that it had before.

        Raises MailUnavailable where sending it later may help, and MailRefused where it does not.
        """
        ...

    async def check(self) -> str:
        """Where messages go, once that was seen to answer. Sends none. Raises MailUnavailable."""
        ...


def mailer_of(settings: Settings) -> Mailer:
    url = settings.server.public_url
    # `.invalid` is nobody's (RFC 2606): what is sent in a trial reaches no stranger's mailbox as an answer.
    sender = f"no-reply@{url.host if url is not None and url.host else 'portico.invalid'}"
    if settings.mail.smtp_url is None:
        return OutboxMailer(settings.data.data_dir / "outbox", sender)
    return SmtpMailer(settings.mail.smtp_url.get_secret_value(), sender)
