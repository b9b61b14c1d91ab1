"""Texts as vectors: the same as the model's own library makes, and what is made of odd texts."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from core.inference.embedding import (
    DIMENSIONS,
    MAX_TEXT,
    Embedder,
    EmbeddingsUnavailable,
    ModelFiles,
    identity,
    model_files,
)
from core.inference.embedding_worker import embed_many
from core.inference.vectors import quantise
from core.workers.pool import Workers
from tests.factories.meanings import embedder

TEXTS = ["a warm jacket", "coffee", "zürich straße 東京 🎉", "the the the"]
REFERENCE = """
import json, sys, wordllama
from pathlib import Path
model = wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)
print(json.dumps(model.embed(json.loads(sys.argv[1]), norm=True).tolist()))
"""


def test_vectors_are_those_of_the_models_own_library() -> None:
    """In a process of its own: importing it sets up logging."""
    run = subprocess.run(
        [sys.executable, "-c", REFERENCE, json.dumps(TEXTS)], capture_output=True, text=True, check=True
    )

    assert np.allclose(embedder().embed(TEXTS), np.array(json.loads(run.stdout)), atol=1e-6)


@pytest.mark.parametrize("text", ["", "   ", "\n\t"])
def test_a_text_without_words_is_nowhere(text: str) -> None:
    assert not embedder().embed([text]).any()


@pytest.mark.parametrize("text", ["🎉", "a\0b", "\udcff", "x" * 100_000, "\u202e\u200b"])
def test_any_other_text_has_a_vector_of_length_one(text: str) -> None:
    (vector,) = embedder().embed([text])

    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-6)


def test_case_and_what_comes_after_the_cap_make_no_difference() -> None:
    long = "warm jacket " * 1_000
    one, other = embedder().embed([long[:MAX_TEXT], long.upper() + " coffee"])

    assert np.array_equal(one, other)


def test_model_is_named_by_its_content() -> None:
    known = identity()

    assert known.model == "wordllama-l2-supercat-256"
    assert len(known.content_hash.removeprefix("sha256:")) == 64
    assert identity() is known  # once


@pytest.mark.parametrize("data", [b"", b"\xff" * 8, b"\x02" + bytes(7) + b"{}", bytes(2_000)])
def test_weights_that_are_none_are_refused(tmp_path: Path, data: bytes) -> None:
    weights = tmp_path / "weights"
    weights.write_bytes(data)

    with pytest.raises(EmbeddingsUnavailable, match="cannot be loaded"):
        Embedder(ModelFiles(weights, model_files().tokenizer))


def test_tokenizer_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmbeddingsUnavailable, match="cannot be loaded"):
        Embedder(ModelFiles(model_files().weights, tmp_path / "nothing"))


async def test_another_process_makes_the_same() -> None:
    workers = Workers()

    made = await embed_many(workers, TEXTS)
    nothing = await embed_many(workers, [])
    await workers.close()

    expected = quantise(embedder().embed(TEXTS))
    assert [np.frombuffer(each.vector, np.int8).tolist() for each in made] == expected.rows.tolist()
    assert [each.scale for each in made] == expected.scales.tolist()
    assert nothing == []
    assert all(len(each.vector) == DIMENSIONS for each in made)
