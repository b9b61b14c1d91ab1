"""Where mail goes: into a folder, or to a mail server."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from pydantic import AnyHttpUrl, SecretStr

from core.mail.errors import MailRefused, MailUnavailable
from core.mail.mailer import mailer_of
from core.mail.outbox import OutboxMailer
from core.mail.smtp import SmtpMailer
from core.settings import DataSettings, MailSettings, ServerSettings, Settings
from tests.core.mail.test_message import made


class Server:
    """Answers RCPT and DATA as it is told."""

    def __init__(self) -> None:
        self.rcpt = "250 OK"
        self.data = "250 OK"
        self.taken: list[tuple[str, list[str]]] = []

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802
        envelope.rcpt_tos.append(address)
        return self.rcpt

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        self.taken.append((envelope.mail_from, envelope.rcpt_tos))
        return self.data


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def mailer(server: Server, free_port: int) -> Iterator[SmtpMailer]:
    controller = Controller(server, hostname="127.0.0.1", port=free_port)
    controller.start()
    yield SmtpMailer(f"smtp://127.0.0.1:{free_port}?from=shop@example.com", "no-reply@portico.invalid")
    controller.stop()


async def test_message_goes_to_its_addresses(mailer: SmtpMailer, server: Server) -> None:
    await mailer.send(made())

    assert mailer.sender == "shop@example.com"
    assert server.taken == [("shop@example.com", ["ada@example.com"])]


@pytest.mark.parametrize("place", ["rcpt", "data"])
@pytest.mark.parametrize(("answer", "error"), [("451 later", MailUnavailable), ("550 no such mailbox", MailRefused)])
async def test_refusal_for_now_is_told_from_one_for_good(
    mailer: SmtpMailer, server: Server, place: str, answer: str, error: type[Exception]
) -> None:
    setattr(server, place, answer)

    with pytest.raises(error, match=answer):
        await mailer.send(made())


async def test_server_that_is_away_is_unavailable(free_port: int) -> None:
    with pytest.raises(MailUnavailable):
        await SmtpMailer(f"smtp://127.0.0.1:{free_port}", "a@example.com").send(made())


async def test_outbox_has_a_file_a_message_and_one_that_is_sent_again_replaces_itself(tmp_path: Path) -> None:
    mailer = OutboxMailer(tmp_path / "outbox", "a@example.com")

    await mailer.send(made())
    await mailer.send(made(name="Ada Lovelace"))

    (file,) = (tmp_path / "outbox").iterdir()
    assert file.suffix == ".eml"
    assert b"To: Ada Lovelace <ada@example.com>\r\n" in file.read_bytes()


def test_sender_is_of_the_public_address() -> None:
    server = ServerSettings(public_url=AnyHttpUrl("https://shop.example.org/x"))

    assert mailer_of(Settings(server=server)).sender == "no-reply@shop.example.org"
    assert mailer_of(Settings()).sender == "no-reply@portico.invalid"


def test_mail_server_is_chosen_by_the_settings(tmp_path: Path) -> None:
    data = DataSettings(data_dir=tmp_path)

    given = Settings(data=data, mail=MailSettings(smtp_url=SecretStr("smtps://user:p%40ss@mail.example")))

    assert isinstance(mailer_of(given), SmtpMailer)
    assert isinstance(mailer_of(Settings(data=data)), OutboxMailer)


@pytest.mark.parametrize("url", ["mail.example", "http://mail.example", "smtp://", "smtp://mail:port", "smtp://mail:0"])
def test_what_is_no_mail_server_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="smtp"):
        MailSettings(smtp_url=SecretStr(url))
