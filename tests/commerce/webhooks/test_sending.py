"""One attempt, over real sockets to a receiver on this machine."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import httpcore2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from commerce.webhooks.sending import Answer, Sender
from core.outbound import GuardedNetwork
from tests.factories.receivers import Receiver, Reply

LOCAL = GuardedNetwork(allow_private=True)


async def sent(url: str, *, timeout_seconds: float = 15.0) -> Answer:
    return await Sender(LOCAL, timeout_seconds=timeout_seconds)(url, {"webhook-id": "evt_1"}, b'{"a":1}')


async def test_request_is_a_post_of_the_body_as_it_is(receiver: Receiver) -> None:
    answer = await sent(receiver.url)

    (request,) = receiver.requests
    assert (request.path, request.body) == ("/hooks", b'{"a":1}')
    assert request.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert request.headers["content-type"] == "application/cloudevents+json"
    assert request.headers["user-agent"].startswith("Portico-Webhooks/")
    assert (answer.status, answer.error, answer.excerpt, answer.retry_after) == (200, None, "ok", None)
    assert answer.accepted
    assert not answer.gone


@pytest.mark.parametrize(
    ("status", "accepted"), [(200, True), (204, True), (299, True), (300, False), (404, False), (500, False)]
)
async def test_only_2xx_is_success(receiver: Receiver, status: int, accepted: bool) -> None:
    receiver.replies([], Reply(status, body=b""))

    answer = await sent(receiver.url)

    assert (answer.status, answer.accepted) == (status, accepted)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect_is_not_followed(receiver: Receiver, status: int) -> None:
    receiver.replies([], Reply(status, {"Location": f"http://127.0.0.1:{receiver.port}/elsewhere"}))

    answer = await sent(receiver.url)

    assert (answer.status, answer.accepted) == (status, False)
    assert [request.path for request in receiver.requests] == ["/hooks"]


async def test_slow_receiver_is_given_up(receiver: Receiver) -> None:
    receiver.replies([], Reply(seconds=30))

    answer = await sent(receiver.url, timeout_seconds=0.2)

    assert (answer.status, answer.error, answer.excerpt) == (None, "no answer within 0.2 s", None)
    assert 190 <= answer.duration_ms < 5000


async def test_connection_that_closes_is_a_failure(receiver: Receiver) -> None:
    receiver.replies([], Reply(closes=True))

    answer = await sent(receiver.url)

    assert answer.status is None
    assert answer.error is not None
    assert answer.error.startswith("RemoteProtocolError")


async def test_nobody_listening_is_a_failure(receiver: Receiver) -> None:
    answer = await sent("http://127.0.0.1:1/hooks")

    assert answer.status is None
    assert answer.error is not None
    assert answer.error.startswith("ConnectError")
    assert receiver.requests == []


async def test_answer_that_is_no_http_is_a_failure() -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"220 mail.example.com ESMTP\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    async with server:
        answer = await sent(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")

    assert answer.status is None
    assert answer.error is not None
    assert answer.error.startswith("RemoteProtocolError")


async def test_first_kib_of_the_answer_is_kept_as_text(receiver: Receiver) -> None:
    receiver.replies([], Reply(500, {"Set-Cookie": "secret"}, b"\0\xff" + b"x" * 2000))

    answer = await sent(receiver.url)

    assert answer.excerpt == "\ufffd\ufffd" + "x" * 1022


async def test_endless_answer_is_not_read_to_its_end() -> None:
    written = 0

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()
                written += 65536
        except ConnectionError:
            writer.close()

    server = await asyncio.start_server(pour, "127.0.0.1", 0)
    async with server:
        answer = await sent(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", timeout_seconds=5)

    assert answer.accepted
    assert answer.excerpt == "x" * 1024
    assert written < 20_000_000


async def test_status_counts_where_the_body_never_ends(receiver: Receiver) -> None:
    receiver.replies([], Reply(200, {"Content-Length": "1000"}, b"begun"))

    answer = await sent(receiver.url, timeout_seconds=1)

    assert (answer.status, answer.error, answer.excerpt) == (200, None, "begun")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("120", timedelta(seconds=120)),
        ("0", timedelta()),
        ("99999999999", timedelta(days=7)),
        ("soon", None),
        ("-5", None),
        ("", None),
        ("Mon, 32 Foo 2026", None),
    ],
)
async def test_retry_after_is_read_in_seconds(receiver: Receiver, header: str, expected: timedelta | None) -> None:
    receiver.replies([], Reply(503, {"Retry-After": header}))

    assert (await sent(receiver.url)).retry_after == expected


async def test_retry_after_is_read_as_a_date(receiver: Receiver) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    receiver.replies([Reply(503, {"Retry-After": date})], Reply(503, {"Retry-After": "Tue, 01 Jan 2019 00:00:00 GMT"}))

    coming, past = [(await sent(receiver.url)).retry_after for _ in range(2)]

    assert coming is not None
    assert timedelta(minutes=59) < coming <= timedelta(hours=1)
    assert past == timedelta()


async def test_forbidden_address_is_a_failure_that_says_no_address(receiver: Receiver) -> None:
    guarded = Sender(GuardedNetwork(allow_private=False))

    answer = await guarded(receiver.url, {}, b"{}")

    assert (answer.status, answer.error) == (None, "it leads to an address that is not public")
    assert receiver.requests == []


async def test_proxy_of_the_environment_is_not_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    assert (await sent(receiver.url)).accepted


class Everywhere(httpcore2.AsyncNetworkBackend):
    """Leads to one port of this machine, whatever the address."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def connect_tcp(self, host: str, port: int, *_: object) -> httpcore2.AsyncNetworkStream:
        assert (host, port) == ("93.184.216.34", 443)
        return await httpcore2.AnyIOBackend().connect_tcp("127.0.0.1", self._port)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Key and certificate of shop.example.com, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "shop.example.com")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("shop.example.com")]), critical=False)
        .sign(key, SHA256())
    )
    path = tmp_path / "certificate.pem"
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(pem + made.public_bytes(Encoding.PEM))
    return path


@pytest.fixture
async def secure_port(certificate: Path, receiver: Receiver) -> AsyncIterator[int]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(("host", "accepted"), [("shop.example.com", True), ("other.example.com", False)])
async def test_certificate_is_checked_for_the_name_at_the_checked_address(
    receiver: Receiver, secure_port: int, certificate: Path, host: str, accepted: bool
) -> None:
    async def resolve(_host: str, _port: int) -> list[str]:
        return ["93.184.216.34"]

    network = GuardedNetwork(allow_private=False, resolve=resolve, network=Everywhere(secure_port))
    sender = Sender(network, tls=ssl.create_default_context(cafile=certificate))

    answer = await sender(f"https://{host}/hooks", {}, b"{}")

    assert answer.accepted == accepted
    assert len(receiver.requests) == int(accepted)
    assert accepted or "certificate" in (answer.error or "").lower()
