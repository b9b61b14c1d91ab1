"""A tail put on after compressing gives bodies that real decoders read, and nothing follows them."""

import gzip
import random
import subprocess
import zlib
from collections.abc import Callable

import brotli  # type: ignore[import-untyped]
import pytest
import zstandard
from starlette.types import Message, Receive, Scope, Send
from starlette_compress import CompressMiddleware

from core.web.response_cache.encodings import compressed, negotiated
from tests.conftest import needs

_CHANCE = random.Random(11)  # noqa: S311  the same bytes each time
STABLES = {
    "text": b'{"data":{"products":[' + b'{"title":"Rain Jacket"},' * 500,
    "one byte": b"x",
    "noise": _CHANCE.randbytes(5_000),
    "more than a window": _CHANCE.randbytes(150_000) * 30,
}
TAILS = [b"}", b',"extensions":{"cost":{"requested":51,"limit":1000000,"remaining":999949}}}', b"z" * 60_000]


def unzstd(body: bytes) -> bytes:
    decoder = zstandard.ZstdDecompressor().decompressobj()
    read = decoder.decompress(body)
    assert (decoder.eof, decoder.unused_data) == (True, b"")
    return read


def gunzip(body: bytes) -> bytes:
    decoder = zlib.decompressobj(31)
    read = decoder.decompress(body)
    assert (decoder.eof, decoder.unused_data) == (True, b"")
    return read


DECODERS: dict[str, Callable[[bytes], bytes]] = {"": bytes, "gzip": gunzip, "br": brotli.decompress, "zstd": unzstd}
NODE = (
    "const z = require('zlib'); const d = {gzip: z.createGunzip, br: z.createBrotliDecompress}[process.argv[1]]();"
    "process.stdin.pipe(d).pipe(process.stdout)"
)


@pytest.mark.parametrize("tail", TAILS, ids=["short", "usual", "longest"])
@pytest.mark.parametrize("stable", STABLES.values(), ids=STABLES)
@pytest.mark.parametrize("encoding", DECODERS)
def test_body_with_a_tail_is_both(encoding: str, stable: bytes, tail: bytes) -> None:
    opened = compressed(stable, encoding)

    assert DECODERS[encoding](opened.head + opened.end(tail)) == stable + tail


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd"])
def test_each_tail_goes_with_the_same_head(encoding: str) -> None:
    opened = compressed(STABLES["text"], encoding)

    assert [DECODERS[encoding](opened.head + opened.end(tail)) for tail in TAILS] == [
        STABLES["text"] + tail for tail in TAILS
    ]
    assert len(opened.head) < len(STABLES["text"]) // 20


@pytest.mark.parametrize(
    ("encoding", "command"),
    [
        ("gzip", ["gzip", "-dc"]),
        ("zstd", ["zstd", "-dcq"]),
        ("gzip", ["node", "-e", NODE, "gzip"]),
        ("br", ["node", "-e", NODE, "br"]),
    ],
)
def test_programs_of_others_read_it(encoding: str, command: list[str]) -> None:
    program = needs(command[0])
    for stable in (STABLES["text"], STABLES["more than a window"]):
        opened = compressed(stable, encoding)
        body = opened.head + opened.end(TAILS[1])
        read = subprocess.run([program, *command[1:]], input=body, capture_output=True, check=True)

        assert read.stdout == stable + TAILS[1]


def test_broken_checksum_is_noticed() -> None:
    """The decoder checks the end that we make."""
    opened = compressed(STABLES["text"], "gzip")
    body = bytearray(opened.head + opened.end(TAILS[1]))
    body[-5] ^= 1

    with pytest.raises(gzip.BadGzipFile):
        gzip.decompress(bytes(body))


ACCEPTED = """
 gzip\tbr\tzstd\tgzip, br\tgzip, deflate, br, zstd\t*\t*;q=0\tbr;q=0, *\tzstd;q=0,gzip\tidentity\tgzip;q=0.000
GZIP\tgzip;q=x\tdeflate\tgzip;q=0.1, br;q=0.9""".replace("\n", "\t").split("\t")


@pytest.mark.parametrize("accepted", [*ACCEPTED, "a" * 300 + ", gzip"])
async def test_encoding_is_the_one_that_compression_chooses(accepted: str) -> None:
    sent: list[Message] = []

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"x" * 1_000})

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"accept-encoding", accepted.encode())] if accepted else []
    await CompressMiddleware(app)({"type": "http", "headers": headers}, receive, send)

    assert dict(sent[0]["headers"]).get(b"content-encoding", b"").decode() == negotiated(accepted.encode())
