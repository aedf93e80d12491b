"""Tables as they come, from the raw values to the reasons."""

import copy
import io
import pickle
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

import skdeepcluster.io
from skdeepcluster import DeepOutlierDetector
from skdeepcluster._columns import looked_at
from skdeepcluster.explain import cluster_effects, describe_clusters, describe_outliers
from skdeepcluster.graph import GraphClustering
from skdeepcluster.metrics import clustering_accuracy
from skdeepcluster.model_selection import (
    AllData,
    clustering_scorer,
    compare_clusterers,
    select_n_clusters,
)
from skdeepcluster.plotting import ClusterFeaturesDisplay, SilhouetteDisplay
from skdeepcluster.tables import TableEncoder

pandas = pytest.importorskip("pandas")


@parametrize_with_checks([TableEncoder()])
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.fixture
def trips():
    """Journeys of two kinds, as a file of a company might have them."""
    rng = np.random.default_rng(0)
    night = np.repeat([True, False], 60)
    minutes = np.where(night, 180, 720) + rng.integers(0, 90, 120)
    days = rng.permutation(120)
    start = np.datetime64("2024-03-01") + days * np.timedelta64(1, "D")
    price = np.where(night, 45, 12) + rng.normal(0, 4, 120)
    weight = rng.normal(1200, 60, 120)
    return pandas.DataFrame(
        {
            "trip_id": rng.permutation(10**6)[:120],
            "started": (start + minutes * np.timedelta64(1, "m")).astype(str),
            "price": [f"${each:.2f}" for each in price],
            "weight": [f"{each:,.0f} kg" for each in weight],
            "vehicle": np.where(night, "taxi", "bus"),
            "zip": rng.choice(["01234", "10001", "94110"], 120),
            "comment": [
                f"{'late and dark' if it else 'crowded but quick'} as number {i} was"
                for i, it in enumerate(night)
            ],
            "driver": [f"name {i}" for i in range(120)],
            "country": "CH",
        }
    )


def test_kinds_are_found(trips):
    trips.loc[3, "weight"] = "n/a"
    encoder = TableEncoder(random_state=0).fit(trips)
    assert encoder.columns_ == {
        "started": "date",
        "price": "number",
        "weight": "number",
        "vehicle": "category",
        "zip": "category",
        "comment": "text",
    }
    assert encoder.left_out_ == {
        "trip_id": "it numbers the rows",
        "driver": "nearly every row has a value of its own there",
        "country": "it has one value",
    }
    names = encoder.get_feature_names_out()
    assert {"price", "weight missing", "vehicle = bus", "zip = 01234"} <= set(names)
    assert {"started hour sin", "started weekday cos", "comment 0"} <= set(names)
    assert "started month sin" not in names
    assert len(names) == len(encoder.sources_) == encoder.transform(trips).shape[1]


def test_every_column_has_the_same_weight_unless_weights_are_given(trips):
    def shares(encoder):
        Z = encoder.fit_transform(trips)
        variances = Z.var(axis=0)
        return {
            name: variances[encoder.sources_ == name].sum() for name in encoder.columns_
        }

    assert shares(TableEncoder(random_state=0)) == pytest.approx(
        dict.fromkeys(["started", "price", "weight", "vehicle", "zip", "comment"], 1)
    )
    given = shares(TableEncoder(weights={"price": 4, "zip": 0}, random_state=0))
    assert given["price"] == pytest.approx(4)
    assert given["vehicle"] == pytest.approx(1)
    assert "zip" not in given


@pytest.mark.parametrize(
    ("values", "numbers"),
    [
        (["1", "2", "-3.5"], [1, 2, -3.5]),
        (["1,200", "3", " 4.5 "], [1200, 3, 4.5]),
        (["1.200,5", "3,25", "4,5"], [1200.5, 3.25, 4.5]),
        (["$5", "$1,000.50", "$ 3"], [5, 1000.5, 3]),
        (["5 %", "7%", "12.5 %"], [5, 7, 12.5]),
        (["3 kg", "4 KG", "1e3 kg"], [3, 4, 1000]),
        ([1, "2", 3.5], [1, 2, 3.5]),
        (np.array([1, 2, 5], dtype="timedelta64[m]"), [60, 120, 300]),
    ],
)
def test_numbers_in_strings(values, numbers):
    table = pandas.DataFrame({"a": [*values] * 2 + [None]})
    encoder = TableEncoder(max_absolute_value=None).fit(table)
    assert encoder.columns_ == {"a": "number"}
    back = encoder.inverse_transform(encoder.transform(table))["a"]
    np.testing.assert_allclose(back, [*numbers, *numbers, np.nan])


@pytest.mark.parametrize(
    ("values", "dates"),
    [
        (["2024-05-01", "2024-05-03", "2024-06-30"], None),
        (["2024-05-01 13:45:01", "2024-05-03 00:00:59", "2024-06-30 23:59:00"], None),
        (["05/31/2024", "06/01/2024", "01/02/2025"], None),
        (["31.05.2024", "01.06.2024", "02.01.2025"], "dayfirst"),
        (["2024-05-01T13:45:01Z", "2024-05-03T13:45:02Z", "2024-05-04T00:00:00Z"], 0),
    ],
)
def test_dates_in_strings(values, dates):
    table = pandas.DataFrame({"when": [*values] * 3 + ["?"]})
    encoder = TableEncoder(max_absolute_value=None).fit(table)
    assert encoder.columns_ == {"when": "date"}
    back = encoder.inverse_transform(encoder.transform(table))["when"]
    expected = pandas.to_datetime(
        pandas.Series([*values] * 3 + [None]), dayfirst=dates == "dayfirst"
    )
    if expected.dt.tz is not None:
        expected = expected.dt.tz_convert(None)
    assert back.isna().tolist() == expected.isna().tolist()
    assert ((back - expected).abs().dropna() < pandas.Timedelta("1s")).all()


def test_what_looks_like_a_number_or_a_date_and_is_none():
    n = 40
    table = pandas.DataFrame(
        {
            "zip": ["01234", "94110"] * (n // 2),
            "version": ["1.2.3", "1.10.0"] * (n // 2),
            "grade": pandas.Categorical([1, 2] * (n // 2)),
            "flag": [True, False] * (n // 2),
            "seen": [True, None] * (n // 2),
        }
    )
    assert set(TableEncoder().fit(table).columns_.values()) == {"category"}


def test_times_a_second_apart_stay_apart():
    times = pandas.date_range("2020-06-01", periods=500, freq="s")
    for values in (times, times.astype(str), times.tz_localize("Europe/Zurich")):
        Z = TableEncoder().fit_transform(pandas.DataFrame({"t": values}))
        assert len(np.unique(Z[:, 0])) == 500


def test_months_have_no_weekday_and_several_years_a_season():
    months = pandas.DataFrame(
        {"t": pandas.period_range("2000-01", periods=60, freq="M")}
    )
    names = TableEncoder().fit(months).get_feature_names_out().tolist()
    assert names == ["t", "t month sin", "t month cos"]


def test_tails_are_drawn_in():
    rng = np.random.default_rng(0)
    table = pandas.DataFrame({"a": [*rng.normal(size=999), 1e12]})
    Z = TableEncoder().fit_transform(table)
    assert Z[-1, 0] < 4
    assert abs(Z[:-1, 0].std() - 1) < 0.2
    far = TableEncoder(max_absolute_value=None).fit_transform(table)
    assert far[-1, 0] / np.abs(far[:-1, 0]).max() > 1e6


def test_new_rows_and_rare_values(trips):
    encoder = TableEncoder(random_state=0).fit(trips)
    new = trips.drop(columns=["driver", "trip_id"]).iloc[:3].copy()
    np.testing.assert_array_equal(encoder.transform(new), encoder.transform(trips)[:3])
    new.loc[0, ["price", "vehicle", "started", "comment"]] = None
    new.loc[1, "vehicle"] = "ship"
    assert np.isfinite(encoder.transform(new)).all()
    many = pandas.DataFrame({"c": [*"aaaaaabbbbccccdefghij", None]})
    encoder = TableEncoder(max_categories=4).fit(many)
    names = encoder.get_feature_names_out().tolist()
    assert names == ["c = a", "c = b", "c = c", "c = others"]
    unseen = encoder.transform(pandas.DataFrame({"c": ["z"]}))
    np.testing.assert_array_equal(unseen, encoder.transform(many)[-2:-1])


def test_polars_arrays_and_orders_of_columns(trips):
    polars = pytest.importorskip("polars")
    expected = TableEncoder(random_state=0).fit_transform(trips)
    frame = polars.DataFrame({name: trips[name].tolist() for name in trips})
    np.testing.assert_allclose(
        TableEncoder(random_state=0).fit_transform(frame), expected
    )
    encoder = TableEncoder(random_state=0).fit(trips)
    np.testing.assert_array_equal(
        encoder.transform(trips[trips.columns[::-1]]), expected
    )
    array = np.array([["a", 1.5], ["b", 2.5], ["a", np.nan]], dtype=object)
    encoder = TableEncoder().fit(array)
    assert encoder.columns_ == {"x0": "category", "x1": "number"}
    assert encoder.set_output(transform="pandas").transform(array).shape == (3, 4)


def test_same_bits_saved_and_nothing_changed(trips):
    before = copy.deepcopy(trips)
    encoder = TableEncoder(random_state=3).fit(trips)
    Z = encoder.transform(trips)
    np.testing.assert_array_equal(clone(encoder).fit_transform(trips), Z)
    pandas.testing.assert_frame_equal(trips, before)
    copied = pickle.loads(pickle.dumps(encoder))
    np.testing.assert_array_equal(copied.transform(trips), Z)


def test_saved_without_trust(trips, tmp_path):
    pytest.importorskip("skops")
    pipeline = make_pipeline(TableEncoder(random_state=0), GraphClustering(2)).fit(
        trips
    )
    skdeepcluster.io.save(pipeline, tmp_path / "trips.skops")
    loaded = skdeepcluster.io.load(tmp_path / "trips.skops")
    np.testing.assert_array_equal(loaded.predict(trips), pipeline.predict(trips))


@pytest.mark.parametrize(
    ("parameters", "changes", "message"),
    [
        ({"kinds": {"prize": "number"}}, {}, "kinds names the column 'prize'"),
        ({"kinds": {"price": "real"}}, {}, r"kinds\['price'\]='real' must be one of"),
        ({"kinds": {"vehicle": "date"}}, {}, "'vehicle' is a date, and it holds taxi"),
        ({"weights": {"price": -1}}, {}, r"weights\['price'\]=-1 must be a number"),
        ({"max_absolute_value": 0}, {}, "max_absolute_value=0 must be None or above"),
        ({"max_categories": 1}, {}, "max_categories=1 must be an integer >= 2"),
        ({}, {"price": np.r_[np.inf, np.arange(119.0) ** 2]}, "'price' holds infinite"),
        ({"text_encoder": len}, {}, "text_encoder makes an array of shape"),
    ],
)
def test_what_cannot_be_encoded_is_named(trips, parameters, changes, message):
    with pytest.raises(ValueError, match=message):
        TableEncoder(**parameters).fit(trips.assign(**changes))


def test_tables_that_cannot_be_encoded_are_named(trips, monkeypatch):
    encoder = TableEncoder(random_state=0).fit(trips)
    with pytest.raises(ValueError, match="X has no column 'price'"):
        encoder.transform(trips.drop(columns="price"))
    with pytest.raises(
        ValueError, match=r"'price' holds 'cheap', and numbers in '\$' where"
    ):
        encoder.transform(trips.replace({"price": {trips["price"][5]: "cheap"}}))
    with pytest.raises(ValueError, match="several columns named 'zip'"):
        encoder.fit(trips[["zip", "zip"]])
    with pytest.raises(ValueError, match="driver: nearly every row has a value of its"):
        encoder.fit(trips[["driver", "country"]])
    units = pandas.DataFrame(
        {"w": [f"{i} {'kg' if i % 2 else 'g'}" for i in range(60)]}
    )
    with pytest.raises(ValueError, match="several units: 'g', 'kg'"):
        TableEncoder().fit(units)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"skdeepcluster\[tables\]"):
        TableEncoder().fit(np.eye(3))


# what comes after


def test_reasons_in_the_columns_of_the_table(trips):
    pipeline = make_pipeline(TableEncoder(random_state=0), KMeans(2, random_state=0))
    table = describe_clusters(pipeline.fit(trips), trips, n_features=6)
    night = pipeline.predict(trips)[0]
    assert table["size"].tolist() == [60, 60]
    reasons = table["reasons"][night]
    assert "vehicle = taxi: 100 % here, 0 % elsewhere" in reasons
    (price,) = (it for it in reasons if it.startswith("price"))
    assert price.startswith("price: median $4")
    assert any(it.startswith("hour of started: median 3.") for it in reasons)
    assert "comment has 'dark': 100 % here, 0 % elsewhere" in reasons or (
        "comment has 'late': 100 % here, 0 % elsewhere" in reasons
    )
    assert not any("trip_id" in it or "driver" in it for it in reasons)
    effects = cluster_effects(pipeline, trips)
    assert effects.loc[night, "vehicle = taxi"] == 1
    assert {"weekday of started = Mon", "zip = 01234"} <= set(effects)
    ClusterFeaturesDisplay.from_estimator(pipeline, trips)


def test_gaps_are_a_reason():
    table = pandas.DataFrame(
        {"a": [1.0, 2, 3, None, None, None], "b": [*"xy", None, *"xyx"]}
    )
    (reasons,) = describe_clusters(None, table, labels=[-1, -1, -1, 4, 4, 4])["reasons"]
    assert reasons[0] == "a = missing: 100 % here, 0 % elsewhere"
    assert "b = missing: 0 % here, 33 % elsewhere" in reasons or len(reasons) == 2


def test_effects_leave_out_what_is_not_known():
    rng = np.random.default_rng(0)
    table = pandas.DataFrame({"a": rng.normal(size=50), "b": rng.integers(0, 3, 50)})
    labels = rng.integers(0, 3, 50)
    table.loc[rng.choice(50, 12, replace=False), "a"] = np.nan
    effects = cluster_effects(None, table, labels=labels)
    for cluster in range(3):
        here = table["a"][labels == cluster].dropna().to_numpy()
        others = table["a"][labels != cluster].dropna().to_numpy()
        expected = np.sign(here[:, None] - others).mean()
        assert effects.loc[cluster, "a"] == pytest.approx(expected)


def test_odd_cells_of_a_table(trips):
    trips.loc[70, "price"] = "$90,000.00"
    encoder = TableEncoder(max_absolute_value=None, random_state=0)
    pipeline = make_pipeline(encoder, DeepOutlierDetector(random_state=0)).fit(trips)
    table = describe_outliers(pipeline, trips, n_outliers=1)
    first = table.iloc[0]
    assert first.name == 70
    assert first["feature"] == "price"
    assert first["value"] == "$90,000.00"
    assert 0 < first["expected"] < 60
    assert table["feature"].is_unique


def test_one_column_does_not_drown_the_others():
    """Three groups in two columns, beside columns of many names and large numbers."""
    rng = np.random.default_rng(0)
    kind = np.repeat([0, 1, 2], 100)
    table = pandas.DataFrame(
        {
            "noise": rng.normal(0, 1e6, 300),
            "model": rng.choice([f"m{i}" for i in range(60)], 300),
            "a": rng.normal(12 * (kind == 1), 1),
            "b": rng.normal(12 * (kind == 2), 1),
            "c": np.array(["u", "v", "w"])[kind],
        }
    )
    pipeline = make_pipeline(
        TableEncoder(random_state=0), GraphClustering(random_state=0)
    )
    assert clustering_accuracy(kind, pipeline.fit_predict(table)) > 0.95


def candidates():
    return {
        "graph": make_pipeline(TableEncoder(random_state=0), GraphClustering(2)),
        "k-means": make_pipeline(TableEncoder(random_state=0), KMeans(2)),
    }


def test_candidates_are_compared_in_their_common_preparation(trips):
    comparison = compare_clusterers(candidates(), trips, n_runs=2, progress=False)
    assert (comparison.table["error"] == "").all()
    fitted = TableEncoder(random_state=0).fit(trips)
    by_hand = compare_clusterers(
        candidates(), trips, space=fitted, n_runs=2, progress=False
    )
    scores = ["modularity", "silhouette", "pooled_silhouette"]
    pandas.testing.assert_frame_equal(comparison.table[scores], by_hand.table[scores])
    differ = candidates() | {
        "other": make_pipeline(TableEncoder(max_categories=3), KMeans(2))
    }
    with pytest.raises(ValueError, match="give space="):
        compare_clusterers(differ, trips)
    choice = select_n_clusters(
        candidates()["graph"], trips, k_range=(2, 3), n_runs=1, progress=False
    )
    assert choice.n_clusters in (2, 3)


def test_a_search_scores_in_the_table_that_the_pipeline_makes(trips):
    pipeline = make_pipeline(TableEncoder(random_state=0), KMeans(random_state=0))
    search = GridSearchCV(
        pipeline,
        {"kmeans__n_clusters": [2, 5]},
        scoring=clustering_scorer("silhouette"),
        cv=AllData(),
    ).fit(trips)
    assert search.best_params_ == {"kmeans__n_clusters": 2}
    SilhouetteDisplay.from_estimator(search.best_estimator_, trips)


def test_a_csv_as_it_is_written(trips):
    text = trips.to_csv(index=False)
    read = pandas.read_csv(io.StringIO(text))
    Z = TableEncoder(random_state=0).fit(read)
    assert Z.columns_ == {
        **TableEncoder(random_state=0).fit(trips).columns_,
        "zip": "number",
    }


@pytest.mark.parametrize(
    ("values", "numbers"),
    [
        (["300 €", "1.500 €", "40.000 €"], [300, 1500, 40000]),
        (["8.048.515", "1.000", "5"], [8048515, 1000, 5]),
        (["1.234", "2.345", "9.876"], [1.234, 2.345, 9.876]),
        (["0,123", "0,456", "1,5"], [0.123, 0.456, 1.5]),
        (["$(55.30)", "$2", "$7"], [-55.3, 2, 7]),
        (["(1,781.89)", "-55.30", "\N{MINUS SIGN}7"], [-1781.89, -55.3, -7]),
        (["1500.00-", "3.00", "7.5"], [-1500, 3, 7.5]),
        (["-$46.47", "$2", "$-3"], [-46.47, 2, -3]),
        (["1 358", "7\N{NO-BREAK SPACE}222", "15"], [1358, 7222, 15]),
        (["CHF 1'004.70", "CHF 5.20", "CHF 7"], [1004.7, 5.2, 7]),
        (["$2.9M", "$1.8K", "$7"], [2.9e6, 1800, 7]),
        (["12 m", "3 m", "7 m"], [12, 3, 7]),
    ],
)
def test_numbers_as_programs_write_them(values, numbers):
    column = looked_at(pandas.Series(values * 4), "a")
    assert column.read(pandas.Series(values)).tolist() == pytest.approx(numbers)


@pytest.mark.parametrize(
    "way",
    [
        *("%d-%b-%Y", "%d-%b-%y", "%b %d, %Y", "%d %B %Y", "%d.%m.%y", "%m/%d/%y"),
        *("%m/%d/%Y %I:%M %p", "%a, %d %b %Y %H:%M:%S +0000", "%Y%m%d", "%Y/%m/%d"),
        *("%Y-%m-%dT%H:%M:%S+01:00", "%Y-%m-%d %H:%M:%S.%f", "%d.%m.%Y %H:%M"),
    ],
)
def test_dates_as_programs_write_them(way):
    days = pandas.date_range("2022-01-04 13:00", periods=40, freq="26h")
    written = pandas.Series(days.strftime(way))
    column = looked_at(written, "a")
    assert column.kind == "date"
    shown = days if "H" in way or "I" in way else days.normalize()
    assert (column.read(written) == shown.to_numpy()).all()


def test_days_come_before_months_where_points_do():
    months = pandas.date_range("2019-01-01", periods=60, freq="MS")
    table = pandas.DataFrame({"month": months.strftime("%d.%m.%Y")})
    assert "month month sin" in TableEncoder().fit(table).get_feature_names_out()
    open_ = pandas.DataFrame({"day": months.strftime("%d/%m/%Y")})
    with pytest.warns(
        UserWarning, match="Dates in column 'day' are read as month, day"
    ):
        TableEncoder().fit(open_)


def test_hours_are_those_that_the_clocks_showed():
    times = pandas.date_range(
        "2024-01-01 00:30", periods=9, freq="7D", tz="Europe/Rome"
    )
    for values in (times, times.strftime("%Y-%m-%dT%H:%M:%S%z"), [*map(str, times)]):
        table = pandas.DataFrame({"t": values, "a": range(5, 14)})
        effects = cluster_effects(None, table, labels=[0] * 4 + [1] * 5)
        (reasons,) = describe_clusters(None, table, labels=[0] * 4 + [-1] * 5)[
            "reasons"
        ]
        assert "weekday of t = Mon" in effects
        assert not any("Sun" in it for it in reasons)
    clocks = pandas.DataFrame({"t": ["23:45", "08:10", "23:50", "08:15"] * 3})
    (reasons, _) = describe_clusters(None, clocks, labels=[0, 1] * 6)["reasons"]
    assert "t: median 23:47 here, 08:12 elsewhere" in reasons


def test_an_odd_cell_is_a_gap_and_is_told():
    values = [f"{1.37 * i:.2f}" for i in range(200)]
    values[5], values[7] = "n.a.", "see below"
    with pytest.warns(UserWarning, match="'v' is of numbers, and 'see below' in it"):
        encoder = TableEncoder().fit(pandas.DataFrame({"v": values}))
    assert encoder.columns_ == {"v": "number"}
    values[5] = values[7] = None
    values[9] = "inf"
    with pytest.raises(ValueError, match="'v' holds infinite values"):
        TableEncoder().fit(pandas.DataFrame({"v": values}))


def test_values_of_another_unit_or_format_are_refused():
    table = pandas.DataFrame(
        {"p": ["$10.5", "$7", "$8"], "d": ["2024-01-05"] * 2 + [None]}
    )
    encoder = TableEncoder().fit(table)
    for name, value in {"p": "€10", "d": "tomorrow"}.items():
        with pytest.raises(ValueError, match=f"'{name}' holds '{value}'"):
            encoder.transform(table.assign(**{name: value}))


def test_names_of_ids_in_any_case():
    numbers = np.random.default_rng(0).permutation(90)[:30]
    for name in ("CustomerID", "userId", "order_id", "customer id", "No.", "key"):
        assert looked_at(pandas.Series(numbers), name) == "it numbers the rows"
    assert looked_at(pandas.Series(numbers), "paid").kind == "number"


def test_columns_of_pyarrow():
    pytest.importorskip("pyarrow")
    rng = np.random.default_rng(0)
    table = pandas.DataFrame(
        {
            "x": rng.normal(size=50),
            "n": rng.integers(0, 9, 50),
            "word": rng.choice(["oak", "elm"], 50),
            "t": pandas.date_range("2024-01-01", periods=50),
        }
    )
    table.loc[3, ["x", "word"]] = None
    arrow = table.convert_dtypes(dtype_backend="pyarrow")
    expected = TableEncoder().fit(table)
    encoder = TableEncoder().fit(arrow)
    assert encoder.columns_ == expected.columns_
    np.testing.assert_allclose(encoder.transform(arrow), expected.transform(table))
    describe_clusters(None, arrow, labels=[0, 1] * 25)
    numbered = arrow.set_axis(range(4), axis=1)
    assert [*TableEncoder().fit(numbered).columns_] == [0, 1, 2, 3]
    assert (numbered.dtypes == arrow.dtypes.to_numpy()).all()


def test_what_few_rows_have_does_not_decide():
    rng = np.random.default_rng(0)
    x = np.repeat([0, 50, 100], 100) + rng.normal(size=300)
    gap = np.full(300, np.nan)
    gap[[5, 150, 250]] = [1, 2, 3]
    for other in (gap, gap > 0):
        table = pandas.DataFrame({"x": x, "other": other})
        graph = GraphClustering(random_state=0)
        assert len(set(make_pipeline(TableEncoder(), graph).fit_predict(table))) == 3
    encoder = TableEncoder().fit(table.assign(gap=gap))
    assert encoder.left_out_ == {"gap": "3 of its 300 rows have a value"}
