"""Mail by SMTP (RFC 5321): one connection a message, encrypted from the start (smtps) or as soon as the server can."""

from email.message import EmailMessage
from urllib.parse import parse_qs, unquote, urlsplit

from core.mail.errors import MailRefused, MailUnavailable

_TIMEOUT_SECONDS = 30
_CHECK_SECONDS = 10
_PERMANENT = 500


class SmtpMailer:
    """`url` is `smtp[s]://user:password@host:port?from=address`; without `from` the sender is `default_sender`."""

    def __init__(self, url: str, default_sender: str) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname
        self._tls = parts.scheme == "smtps"
        self._port = parts.port or (465 if self._tls else 25)
        self._user = unquote(parts.username) if parts.username else None
        self._password = unquote(parts.password) if parts.password else None
        self.sender = parse_qs(parts.query).get("from", [default_sender])[0]

    async def send(self, message: EmailMessage) -> None:
        """Raises MailUnavailable, MailRefused."""
        import aiosmtplib  # noqa: PLC0415  loaded where mail is sent

        try:
            await aiosmtplib.send(
                message,
                hostname=self._host,
                port=self._port,
                use_tls=self._tls,
                username=self._user,
                password=self._password,
                timeout=_TIMEOUT_SECONDS,
            )
        except aiosmtplib.SMTPResponseException as error:
            # A password that is wrong is put right one day: that is no fault of the message.
            if error.code >= _PERMANENT and not isinstance(error, aiosmtplib.SMTPAuthenticationError):
                raise MailRefused(f"{error.code} {error.message[:200]}") from error
            raise MailUnavailable(f"{error.code} {error.message[:200]}") from error
        except aiosmtplib.SMTPRecipientsRefused as error:
            answers = "; ".join(f"{each.code} {each.message[:200]}" for each in error.recipients)
            if all(each.code >= _PERMANENT for each in error.recipients):
                raise MailRefused(answers) from error
            raise MailUnavailable(answers) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise MailUnavailable(str(error) or type(error).__name__) from error

    async def check(self) -> str:
        """Connects, greets, and signs in where there is a user."""
        import aiosmtplib  # noqa: PLC0415

        server = aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port,
            use_tls=self._tls,
            username=self._user,
            password=self._password,
            timeout=_CHECK_SECONDS,
        )
        try:
            async with server:
                await server.ehlo()
        except (aiosmtplib.SMTPException, OSError) as error:
            raise MailUnavailable(f"{self._host}:{self._port} does not answer") from error
        return f"{self._host}:{self._port}"
