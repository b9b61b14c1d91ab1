"""Vectors of int8: how near they are to what they stand for, and the file that they are searched in."""

from pathlib import Path

import numpy as np
import pytest

from core.inference.vectors import Array, Few, Matrix, MatrixRefused, MatrixWriter, Near, quantise

DIMENSIONS, COUNT = 16, 5_000  # more rows than are turned into float32 at once


@pytest.fixture(scope="module")
def vectors() -> Array:
    made: Array = np.random.default_rng(7).normal(size=(COUNT, DIMENSIONS)).astype(np.float32)
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    return made


def ids(count: int) -> list[str]:
    return [f"prod_{number:026}" for number in range(count)]


def write(path: Path, vectors: Array, *, batch: int = COUNT) -> Matrix:
    made, names = quantise(vectors), ids(len(vectors))
    with MatrixWriter(path, model="m", version=3, dimensions=DIMENSIONS) as writer:
        for start in range(0, len(vectors), batch):
            part = slice(start, start + batch)
            writer.add(names[part], [row.tobytes() for row in made.rows[part]], made.scales[part].tolist())
        writer.finish()
    return Matrix(path, model="m", dimensions=DIMENSIONS)


def nowhere(matrix: Matrix) -> Array:
    return matrix.places_of([])


def test_quantised_vectors_are_within_half_a_scale_and_zeros_stay(vectors: Array) -> None:
    made = quantise(np.vstack([vectors, np.zeros((1, DIMENSIONS), np.float32)]))

    back = made.rows * made.scales[:, None]
    assert (np.abs(back[:-1] - vectors) <= made.scales[:-1, None] / 2 + 1e-7).all()
    assert not back[-1].any()


def test_search_finds_what_is_nearest_of_what_was_kept(tmp_path: Path, vectors: Array) -> None:
    matrix = write(tmp_path / "a", vectors, batch=999)
    made = quantise(vectors)
    kept = made.rows * made.scales[:, None]

    for query in vectors[:20]:
        near = matrix.nearest(query, 50, without=nowhere(matrix))

        exact = np.argsort(-(kept @ query), kind="stable")[:50]
        assert [each.id for each in near] == [ids(COUNT)[place] for place in exact]
        assert [each.score for each in near] == pytest.approx((kept @ query)[exact].tolist(), abs=1e-5)


def test_fewer_are_found_where_there_are_fewer_and_none_where_there_is_none(tmp_path: Path, vectors: Array) -> None:
    some, none = write(tmp_path / "some", vectors[:3]), write(tmp_path / "none", vectors[:0])

    assert len(some.nearest(vectors[0], 10, without=nowhere(some))) == 3
    assert none.nearest(vectors[0], 10, without=nowhere(none)) == []
    assert none.vector_of("prod_a") is None


def test_what_is_hidden_is_not_found(tmp_path: Path, vectors: Array) -> None:
    matrix = write(tmp_path / "a", vectors[:10])
    hidden = matrix.places_of([ids(10)[4], "prod_unknown", "zzz", "aaa"])

    near = matrix.nearest(vectors[4], 10, without=hidden)

    assert hidden.tolist() == [4]
    assert {each.id for each in near} == set(ids(10)) - {ids(10)[4]}


def test_of_equal_ones_the_newest_comes_first(tmp_path: Path) -> None:
    alike = np.ones((3, DIMENSIONS), np.float32)
    matrix = write(tmp_path / "a", alike)

    assert [each.id for each in matrix.nearest(alike[0], 3, without=nowhere(matrix))] == ids(3)[::-1]


def test_few_are_searched_alike(tmp_path: Path, vectors: Array) -> None:
    matrix = write(tmp_path / "a", vectors[:100])
    few = Few(tuple(ids(100)), quantise(vectors[:100]))

    near: list[Near] = few.nearest(vectors[3], 7)
    assert near == matrix.nearest(vectors[3], 7, without=nowhere(matrix))
    found, same = few.vector_of(ids(100)[3]), matrix.vector_of(ids(100)[3])
    assert found is not None
    assert same is not None
    assert np.array_equal(found, same)


def test_a_file_that_is_not_finished_is_not_there(tmp_path: Path, vectors: Array) -> None:
    made = quantise(vectors[:2])
    with MatrixWriter(tmp_path / "a", model="m", version=1, dimensions=DIMENSIONS) as writer:
        writer.add(ids(2), [row.tobytes() for row in made.rows], made.scales.tolist())

    assert list(tmp_path.iterdir()) == []


def test_a_file_says_what_it_is_of(tmp_path: Path, vectors: Array) -> None:
    matrix = write(tmp_path / "a", vectors[:2])

    assert (matrix.header.version, len(matrix)) == (3, 2)
    for model, dimensions in (("other", DIMENSIONS), ("m", DIMENSIONS + 1)):
        with pytest.raises(MatrixRefused, match="it is of the model m"):
            Matrix(tmp_path / "a", model=model, dimensions=dimensions)
    with pytest.raises(MatrixRefused, match="No such file"):
        Matrix(tmp_path / "nothing", model="m", dimensions=DIMENSIONS)


def test_each_bit_of_a_file_counts(tmp_path: Path, vectors: Array) -> None:
    write(tmp_path / "a", vectors[:2])
    data = (tmp_path / "a").read_bytes()

    for place in (*range(0, 512, 3), *range(512, len(data), 7)):
        (tmp_path / "b").write_bytes(data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :])
        with pytest.raises(MatrixRefused):
            Matrix(tmp_path / "b", model="m", dimensions=DIMENSIONS)
