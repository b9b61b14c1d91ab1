"""The forecasts as numbers: quantiles against scipy's, levels and weekdays found again, and the yardstick by hand."""

from datetime import date, timedelta

import numpy as np
import pytest
from safetensors.numpy import load, save
from scipy.stats import nbinom, poisson

from commerce.forecast import boosting, naive, seasonal
from commerce.forecast.boosting import Boosted
from commerce.forecast.entities import Asked, Bands
from commerce.forecast.evaluation import Score, evaluated, folds, pinball, score
from commerce.forecast.history import History
from commerce.forecast.naive import Naive
from commerce.forecast.quantiles import count_quantiles
from commerce.forecast.seasonal import Seasonal
from core.inference.errors import ModelFailedProbe

SUNDAY = date(2026, 3, 1)
WEEK = np.array([1.0, 1, 1, 1, 2, 3, 1])  # Monday first


def history(
    levels: list[float], days: int = 182, *, seed: int = 1, spread: float = 0.3, last: date = SUNDAY
) -> History:
    """Products of two categories, by turns, that sell by the weekday and by chance."""
    random = np.random.default_rng(seed)
    weekdays = (np.arange(days) - (days - 1) + last.weekday()) % 7
    mean = np.array(levels)[:, None] * (WEEK / WEEK.mean())[weekdays]
    units = random.poisson(random.gamma(1 / spread, spread * mean)).astype(np.float32)
    count = len(levels)
    ids = [f"prod_{number:03}" for number in range(count)]
    categories = np.array([1 + number % 2 for number in range(count)], np.int32)
    return History(ids, ["", "cat_a", "cat_b"], categories, np.zeros(count, np.int32), units, last)


@pytest.mark.parametrize("mean", [0.01, 0.3, 1.0, 4.2, 17.0, 49.9])
@pytest.mark.parametrize("spread", [0.0, 0.2, 1.0, 5.0])
def test_quantiles_are_those_of_the_negative_binomial(mean: float, spread: float) -> None:
    found = count_quantiles(np.array([mean]), np.array([spread]))[0]

    law = nbinom(1 / spread, 1 / (1 + spread * mean)) if spread else poisson(mean)
    assert list(found) == [law.ppf(each) for each in (0.1, 0.5, 0.9)]


@pytest.mark.parametrize(("mean", "spread"), [(60.0, 0.0), (200.0, 0.1), (1000.0, 0.5), (1e5, 0.05)])
def test_quantiles_of_many_are_near_those_of_the_negative_binomial(mean: float, spread: float) -> None:
    found = count_quantiles(np.array([mean]), np.array([spread]))[0]

    law = nbinom(1 / spread, 1 / (1 + spread * mean)) if spread else poisson(mean)
    assert found == pytest.approx([law.ppf(each) for each in (0.1, 0.5, 0.9)], rel=0.02)


def test_levels_and_weekdays_are_found_again() -> None:
    levels = [200.0, 80.0, 300.0, 50.0]

    model = seasonal.fit(history(levels, spread=0.01))

    assert model.means == pytest.approx(np.outer(levels, WEEK / WEEK.mean()), rel=0.15)
    assert model.means.mean(axis=1) == pytest.approx(levels, rel=0.05)
    assert (model.spreads < 0.2).all()


def test_product_that_sold_little_is_drawn_towards_its_category() -> None:
    given = history([10.0] * 20 + [10.0])
    given.units[20] = 0
    new = np.array(given.born)
    new[20] = given.days - 1  # one day, and nothing sold
    old = seasonal.fit(given).means[20].mean()
    young = seasonal.fit(History(given.ids, given.category_ids, given.categories, new, given.units, SUNDAY)).means[20]

    assert old < 2  # half a year without a sale says much
    assert 7 < young.mean() < 10  # one day says little


def test_product_without_sales_is_forecast_from_its_category_or_the_shop() -> None:
    model = seasonal.fit(history([20.0, 2.0] * 10))

    found = {
        each: model.forecast(Asked("prod_new", each, 7), SUNDAY + timedelta(days=1))
        for each in ("cat_a", "cat_b", "cat_of_nothing", None)
    }

    assert [basis for basis, _ in found.values()] == ["category", "category", "shop", "shop"]
    means = [bands.mean.mean() for _, bands in found.values()]
    assert means == pytest.approx([20, 2, 11, 11], rel=0.15)


def test_days_that_are_asked_for_have_their_weekdays() -> None:
    model = seasonal.fit(history([20.0] * 4))

    _, bands = model.forecast(Asked("prod_000", None, 10), date(2026, 3, 4))  # a Wednesday

    assert bands.mean[0].tolist() == [*model.means[0, 2:], *model.means[0, :5]]
    assert bands.quantiles.shape == (1, 10, 3)
    assert (np.diff(bands.quantiles, axis=2) >= 0).all()


def test_naive_forecast_is_last_week_with_a_spread_that_grows() -> None:
    units = np.tile(np.arange(7, dtype=np.float32), (1, 26))
    units[0, -7:] += np.array([2, 0, 0, 0, 0, 0, 0])
    given = History(["prod_a"], [""], np.zeros(1, np.int32), np.zeros(1, np.int32), units, SUNDAY)
    spread = np.std([2.0] + [0.0] * 48)

    model = naive.fit(given)
    _, bands = model.forecast(Asked("prod_a", None, 14), SUNDAY + timedelta(days=1))
    _, later = model.forecast(Asked("prod_a", None, 11), SUNDAY + timedelta(days=4))
    _, unsold = model.forecast(Asked("prod_b", None, 14), SUNDAY + timedelta(days=1))

    assert bands.mean[0].tolist() == [2, 1, 2, 3, 4, 5, 6] * 2
    assert bands.quantiles[0, 0] == pytest.approx([2 - 1.2816 * spread, 2, 2 + 1.2816 * spread], rel=1e-3)
    assert bands.quantiles[0, 13, 2] == pytest.approx(6 + 1.2816 * spread * np.sqrt(2), rel=1e-3)
    assert later.mean[0].tolist() == bands.mean[0, 3:].tolist()
    assert not unsold.mean.any()


def test_same_history_makes_the_same_file() -> None:
    made = [save(seasonal.fit(history([3.0, 9.0, 0.2])).tensors()) for _ in range(2)]
    rows = [save(naive.fit(history([3.0, 9.0, 0.2])).tensors()) for _ in range(2)]

    assert made[0] == made[1]
    assert rows[0] == rows[1]
    read = Seasonal.of(load(made[0]))
    read.check()
    assert (read.means == seasonal.fit(history([3.0, 9.0, 0.2])).means).all()
    kept = Naive.of(load(rows[0]))
    kept.check()
    assert kept.last_day == SUNDAY


def test_loss_and_folds_are_those_of_the_definition() -> None:
    quantiles = np.array([[[1.0, 2.0, 4.0]]])
    assert pinball(np.array([[3.0]]), quantiles) == pytest.approx((0.1 * 2 + 0.5 * 1 + 0.1 * 1) / 3)
    assert [folds(history([1.0], days)) for days in (28, 34, 35, 182)] == [
        [21],
        [27],
        [28, 21],
        [175, 168, 161, 154],
    ]


def test_score_sees_nothing_of_the_days_that_it_asks_for() -> None:
    given, asked = history([4.0, 7.0]), []

    def predict(known: History, days: int) -> Bands:
        asked.append((known.days, known.last_day, known.units.shape))
        mean = np.full((2, days), 5.0)
        return Bands(mean, np.repeat(mean[:, :, None], 3, axis=2))

    found = score(given, predict)

    assert asked == [(175 - 7 * fold, SUNDAY - timedelta(days=7 + 7 * fold), (2, 175 - 7 * fold)) for fold in range(4)]
    assert found.pinball > 0
    assert found.coverage < 0.4


def test_only_so_many_products_are_tried() -> None:
    given = history([1.0] * 30)
    assert evaluated(given) is given


def test_seasonal_model_beats_the_yardstick_where_demand_is_seasonal() -> None:
    given = history([3.0, 8.0, 0.4, 15.0] * 10)

    model = score(given, lambda known, days: seasonal.predict(seasonal.fit(known), known, days))
    yardstick = score(given, lambda known, days: naive.predict(naive.fit(known), days))

    assert model.pinball < 0.85 * yardstick.pinball
    assert model.mase < yardstick.mase
    assert 0.75 < model.coverage < 0.97
    assert isinstance(model, Score)


def test_boosted_trees_answer_alike_in_scikit_learn_and_as_onnx() -> None:
    given = history([3.0, 8.0, 0.4, 15.0] * 5)
    made, spread = boosting.fit(given)

    served = Boosted.of(boosting.exported(made), spread)
    served.check()
    served = Boosted(served.session, spread, naive.fit(given))

    here = boosting.predict(made, spread, given, 7)
    for row, product_id in enumerate(given.ids):
        basis, there = served.forecast(Asked(product_id, None, 7), SUNDAY + timedelta(days=1))
        assert basis == "product"
        assert there.mean[0] == pytest.approx(here.mean[row], rel=1e-3, abs=1e-3)
    assert boosting.exported(boosting.fit(given)[0]) == boosting.exported(made)


@pytest.mark.parametrize("what", ["means", "spreads", "category_means"])
def test_seasonal_model_that_is_broken_is_refused(what: str) -> None:
    tensors = seasonal.fit(history([3.0, 9.0])).tensors()
    for broken in (np.full_like(tensors[what], np.nan), tensors[what][:-1]):
        with pytest.raises(ModelFailedProbe):
            Seasonal.of(tensors | {what: broken}).check()


def test_naive_model_that_is_broken_is_refused() -> None:
    tensors = naive.fit(history([3.0, 9.0])).tensors()
    for broken in (tensors["units"] - 1000, tensors["units"][:, :-1], tensors["units"][:1]):
        with pytest.raises(ModelFailedProbe):
            Naive.of(tensors | {"units": broken}).check()
