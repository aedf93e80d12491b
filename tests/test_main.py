"""A first look from the shell."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.cluster import KMeans
from sklearn.datasets import load_wine, make_blobs
from sklearn.metrics import adjusted_rand_score
from sklearn.pipeline import make_pipeline

from skdeepcluster.__main__ import ESTIMATORS, main
from skdeepcluster.graph import GraphClustering
from skdeepcluster.metrics import clustering_accuracy
from skdeepcluster.model_selection import compare_clusterers
from skdeepcluster.model_selection._fits import AlreadyFitted
from skdeepcluster.tables import TableEncoder


@pytest.fixture
def blobs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    X, y = make_blobs([60, 50, 40], centers=[[0, 0], [9, 0], [0, 9]], random_state=0)
    return X, y


def labels_in(path):
    with open(path) as file:
        rows = list(csv.DictReader(file))
    assert [int(row["row"]) for row in rows] == list(range(len(rows)))
    assert all(0 <= float(row["sureness"]) <= 1 for row in rows)
    return np.array([int(row["cluster"]) for row in rows])


def test_a_table(blobs, capsys):
    X, y = blobs
    pd.DataFrame(X, columns=["a", "b"]).to_csv("data.csv", index=False)
    assert main(["data.csv"]) == 0
    told = capsys.readouterr().out
    assert "data.csv: 150 rows, 2 columns" in told
    assert "GraphClustering: 3 clusters" in told
    assert "find the same clusters by 1.00" in told
    assert "high a" in told
    assert clustering_accuracy(y, labels_in("data-clusters.csv")) == 1
    report = Path("data-clusters.html").read_text()
    assert "GraphClustering" in report
    assert "k-means" in report


@pytest.mark.parametrize("keys", [("X", "y"), ("rows",)])
def test_arrays(blobs, keys):
    X, y = blobs
    np.savez("data.npz", **dict(zip(keys, (X, y), strict=False)))
    np.save("data.npy", X)
    for name, output in [("data.npz", "one"), ("data.npy", "two")]:
        assert main([name, "--output", output, "--no-report"]) == 0
        assert not Path(f"{output}.html").exists()
    assert Path("one.csv").read_bytes() == Path("two.csv").read_bytes()
    assert clustering_accuracy(y, labels_in("one.csv")) == 1


def test_as_a_module(blobs):
    X, _ = blobs
    np.save("data.npy", X)
    root = str(Path(__file__).parents[1])
    command = [sys.executable, "-m", "skdeepcluster", "data.npy"]
    options = ["--n-clusters", "2", "--random-state", "3", "--no-report"]
    environment = {**os.environ, "PYTHONPATH": root}

    def call(*more):
        return subprocess.run(
            [*command, *options, *more], env=environment, capture_output=True, text=True
        )

    done = call()
    assert done.returncode == 0, done.stderr
    assert "2 clusters" in done.stdout
    assert set(labels_in("data-clusters.csv")) == {0, 1}
    refused = call("--n-clusters", "200")
    assert refused.returncode == 1
    assert refused.stderr.startswith("skdeepcluster: error: n_samples=150")
    assert refused.stderr.count("\n") == 1


def test_mixed_table(blobs, capsys):
    X, y = blobs
    frame = pd.DataFrame(
        {"a": X[:, 0], "b": X[:, 1], "kind": np.array(["u", "v", "w"])[y]}
    )
    frame["name"] = [f"name {i}" for i in range(len(frame))]
    frame.loc[3, "a"] = None
    frame.loc[4, "kind"] = None
    frame.to_csv("data.csv", index=False)
    assert main(["data.csv"]) == 0
    told = capsys.readouterr().out
    assert "Note: column 'name' is left out" in told
    assert "150 rows, 3 columns (2 numbers, 1 category)" in told
    assert clustering_accuracy(y, labels_in("data-clusters.csv")) > 0.98
    kept = pd.read_csv("data-clusters.csv")
    assert list(kept) == ["row", "name (data)", "cluster", "sureness", "name"]
    assert kept["name (data)"].tolist() == frame["name"].tolist()
    page = Path("data-clusters.html").read_text()
    assert "kind = w: 100 % here, 0 % elsewhere" in page
    assert "typical: name " in page


def test_numbers_are_scaled_unless_they_are_not_to_be(blobs, capsys):
    """Three groups in two columns, beside one noisy column of large values."""
    X, y = blobs
    income = np.random.default_rng(0).normal(0, 1e5, len(X))
    told = [f"${it:,.2f}" for it in income]
    frame = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "income": told})
    frame.to_csv("data.csv", index=False)
    assert main(["data.csv", "--no-report"]) == 0
    assert clustering_accuracy(y, labels_in("data-clusters.csv")) == 1
    assert main(["data.csv", "--no-report", "--no-scale"]) == 0
    assert "Note: Column 2 (income) holds" in capsys.readouterr().out
    assert clustering_accuracy(y, labels_in("data-clusters.csv")) < 0.9


def test_units_of_a_real_table_do_not_decide(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    wine = load_wine(as_frame=True)
    wine.data.to_csv("wine.csv", index=False)
    assert main(["wine.csv"]) == 0
    told = capsys.readouterr().out
    assert "GraphClustering: 3 clusters" in told
    assert "flavanoids" in told
    found = labels_in("wine-clusters.csv")
    assert adjusted_rand_score(wine.target, found) > 0.8
    assert "proline: median 1" in Path("wine-clusters.html").read_text()


def test_columns_are_chosen(blobs, capsys):
    X, y = blobs
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(150, 5)), columns=[*"pqrst"])
    frame = frame.assign(a=X[:, 0], b=X[:, 1], code=rng.integers(0, 9, 150))
    frame.to_csv("data.csv", index=False)
    for choice in (["--columns", "a", "b"], ["--drop", *"pqrst", "--id", "code"]):
        assert main(["data.csv", *choice, "--no-report"]) == 0
        assert "150 rows, 2 columns (2 numbers)" in capsys.readouterr().out
        assert clustering_accuracy(y, labels_in("data-clusters.csv")) == 1
    kept = pd.read_csv("data-clusters.csv")
    assert kept["code"].tolist() == frame["code"].tolist()
    assert main(["data.csv", "--drop", "z"]) == 1
    assert "--drop names the column 'z', which the table" in capsys.readouterr().err
    frame["word"] = "u"
    frame.loc[:9, "word"] = "v"
    frame.to_csv("data.csv", index=False)
    assert main(["data.csv", "--no-scale"]) == 1
    assert "--no-scale takes numbers alone, and 'word'" in capsys.readouterr().err


@pytest.fixture
def letters(tmp_path, monkeypatch):
    """Texts on two subjects, with what else a file of texts has."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    words = {
        "food": "soup bread butter apple cheese onion pepper salt kitchen oven".split(),
        "cars": "engine wheel brake tyre motor road driver fuel garage speed".split(),
    }
    kinds = rng.choice([*words], 120)
    frame = pd.DataFrame(
        {
            "id": rng.permutation(10**5)[:120],
            "written": pd.date_range("2024-01-30", periods=120).astype(str),
            "lang": rng.choice(["en", "de"], 120),
            "body": [" ".join(rng.choice(words[kind], 9)) for kind in kinds],
        }
    )
    frame.to_csv("letters.csv", index=False)
    return frame, kinds


def test_a_csv_of_texts_is_found(letters, capsys):
    frame, kinds = letters
    assert main(["letters.csv", "--n-clusters", "2"]) == 0
    told = capsys.readouterr().out
    assert "letters.csv: 120 texts in 'body'" in told
    assert "clustered without 'written', 'lang'" in told
    assert "TopicClustering: 2 clusters" in told
    kept = pd.read_csv("letters-clusters.csv")
    assert kept["id"].tolist() == frame["id"].tolist()
    placed = kept["cluster"].to_numpy() >= 0
    assert placed.mean() > 0.9
    assert clustering_accuracy(kinds[placed], kept["cluster"][placed]) > 0.95
    page = Path("letters-clusters.html").read_text()
    assert frame["body"][kept["cluster"] == 0].map(page.__contains__).any()
    assert "Over time" in page
    assert "2024-03" in page


def test_texts_are_named_or_left_to_the_others(letters, capsys):
    frame, _ = letters
    frame = frame.assign(title=frame["body"] + " again")
    frame.to_csv("letters.csv", index=False)
    options = ["--no-report", "--n-clusters", "2"]
    assert main(["letters.csv", "--text", "title", *options]) == 0
    assert "120 texts in 'title'\n" in capsys.readouterr().out
    assert main(["letters.csv", "--text", "title", "body", *options]) == 0
    assert "120 texts in 'title', 'body'" in capsys.readouterr().out
    assert main(["letters.csv", "--columns", "written", "lang", *options]) == 0
    assert "120 rows, 2 columns (1 category, 1 date)" in capsys.readouterr().out
    options += ["--text", "body", "--estimator", "AutoencoderKMeans"]
    assert main(["letters.csv", *options]) == 0
    assert "AutoencoderKMeans: 2 clusters" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("separator", "encoding", "suffix", "decimal"),
    [
        (",", "utf-8", "csv", "."),
        (";", "utf-8-sig", "csv", ","),
        ("\t", "utf-8", "tsv", "."),
        ("|", "cp1252", "csv", "."),
    ],
)
def test_files_as_programs_write_them(
    blobs, capsys, separator, encoding, suffix, decimal
):
    X, y = blobs
    frame = pd.DataFrame(X, columns=["breite", "höhe"])
    frame["zip"] = [f"{i % 7:05}" for i in range(150)]
    frame.to_csv(
        f"data.{suffix}", index=False, sep=separator, encoding=encoding, decimal=decimal
    )
    assert main([f"data.{suffix}", "--drop", "zip", "--no-report"]) == 0
    told = capsys.readouterr().out
    assert "150 rows, 2 columns (2 numbers)" in told
    assert ("Windows-1252" in told) == (encoding == "cp1252")
    assert "höhe" in told
    assert clustering_accuracy(y, labels_in("data-clusters.csv")) == 1
    assert main([f"data.{suffix}", "--no-report"]) == 0
    assert "(2 numbers, 1 category)" in capsys.readouterr().out


def test_files_of_spreadsheets_in_utf_16(blobs):
    X, y = blobs
    frame = pd.DataFrame(X, columns=["a", "b"])
    frame.to_csv("data.csv", index=False, sep="\t", encoding="utf-16")
    assert main(["data.csv", "--no-report"]) == 0
    assert clustering_accuracy(y, labels_in("data-clusters.csv")) == 1


def test_a_missing_line_of_names_is_told(blobs, capsys):
    X, _ = blobs
    pd.DataFrame(X).to_csv("data.csv", index=False, header=False)
    assert main(["data.csv", "--no-report"]) == 0
    assert "Note: the names of the columns are numbers" in capsys.readouterr().out
    assert main(["data.csv", "--output", "no/such"]) == 1
    assert "--output: there is no folder 'no'" in capsys.readouterr().err


def test_one_cluster_is_said_to_be_one(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rows = np.random.default_rng(0).normal(size=(300, 2))
    pd.DataFrame(rows, columns=["a", "b"]).to_csv("data.csv", index=False)
    assert main(["data.csv"]) == 0
    told = capsys.readouterr().out
    assert "One cluster was found: nothing shows that the rows fall into" in told
    assert ": sure" not in told
    assert pd.read_csv("data-clusters.csv")["sureness"].isna().all()
    page = Path("data-clusters.html").read_text()
    assert "One cluster was found" in page
    assert "k-means" not in page
    assert "sure (" not in page


def test_the_shell_and_python_prepare_the_same(blobs):
    X, _ = blobs
    frame = pd.DataFrame({"a": X[:, 0], "b": X[:, 1] * 1e4, "kind": [*"uvw"] * 50})
    frame.to_csv("data.csv", index=False)
    assert main(["data.csv", "--no-report"]) == 0
    graph = GraphClustering(random_state=0)
    pipeline = make_pipeline(TableEncoder(random_state=0), graph)
    expected = pipeline.fit_predict(pd.read_csv("data.csv"))
    np.testing.assert_array_equal(labels_in("data-clusters.csv"), expected)


def test_other_estimators(blobs, capsys):
    X, _ = blobs
    np.save("data.npy", X)
    options = ["--estimator", "AutoencoderKMeans", "--no-report"]
    assert main(["data.npy", *options]) == 1
    assert "give --n-clusters" in capsys.readouterr().err
    assert main(
        ["data.npy", "--estimator", "DensityDDCClustering", "--n-clusters", "3"]
    )
    assert "leave out --n-clusters" in capsys.readouterr().err
    assert {"DECClustering", "GraphClustering", "AutoencoderGMM"} <= set(ESTIMATORS)
    assert "Autoencoder" not in ESTIMATORS


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.csv", None, "none.csv does not exist"),
        ("data.txt", b"1 2", "suffix '.txt': give .csv"),
        ("data.csv", b"", "data.csv is empty: give a line"),
        ("data.csv", b"when\n", "no column to cluster by in 0 rows"),
        ("data.csv", b"a\n1\n", "no column to cluster by in 1 rows: column 'a'"),
        ("data.npy", b"junk", "data.npy holds no array of numbers"),
        ("data.csv", b"a,b\n1,2\n1,2,3\n", "as many values in each row"),
        ("data.csv", b"a\0b,c\0", "data.csv is no text"),
    ],
)
def test_unusable_files_are_named(
    name, content, message, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    if content is not None:
        Path(name).write_bytes(content)
    assert main([name, "--no-report"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("skdeepcluster: error: ")
    assert error.count("\n") == 1
    assert message in error


def test_unusable_arrays_and_folders_are_named(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    np.save("cube.npy", np.ones((3, 2, 2)))
    np.savez("two.npz", a=np.ones((3, 2)), b=np.ones(3))
    for name, message in [
        ("cube.npy", "shape (3, 2, 2)"),
        ("two.npz", "arrays a, b"),
        (".", "holds no image"),
    ]:
        assert main([name]) == 1
        assert message in capsys.readouterr().err


COLORS = {"red": (200, 40, 30), "green": (40, 180, 60), "blue": (30, 50, 210)}


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    """Tiny images of three colours, of different sizes, in a folder of each."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    rng = np.random.default_rng(0)
    for name, color in COLORS.items():
        folder = Path("pictures", name)
        folder.mkdir(parents=True)
        for i in range(20):
            pixels = rng.normal(color, 12, size=(8 + i % 3, 10, 3)).clip(0, 255)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{i:02}.png")
    Path("pictures", "notes.txt").write_text("no image")
    Path("pictures", ".hidden.png").write_bytes(b"junk")
    return Path("pictures")


def clusters_of_files(path):
    with open(path) as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["file", "cluster", "sureness", "name"]
    classes = [row["file"].split("/")[0] for row in rows]
    return classes, [int(row["cluster"]) for row in rows], [row["file"] for row in rows]


def test_a_folder_of_images(pictures, capsys):
    Path(pictures, "broken.PNG").write_bytes(b"junk")
    assert main(["pictures", "--n-clusters", "3"]) == 0
    told = capsys.readouterr().out
    assert "Note: broken.PNG is left out: Pillow can't read it." in told
    assert "pictures: 60 images, pixels of 32 x 32, for want of --features" in told
    assert "transparent" not in told
    classes, clusters, files = clusters_of_files("pictures-clusters.csv")
    assert clustering_accuracy(classes, clusters) == 1
    assert files == sorted(files)
    assert len(files) == 60
    report = Path("pictures-clusters.html").read_text()
    assert report.count("<h2>Images</h2>") == 1
    assert 'alt="Images of each cluster"' in report


@pytest.mark.parametrize("name", ["extract", "Means", "means"])
def test_features_of_images(pictures, name, capsys):
    Path("own_features.py").write_text(
        "import numpy as np\n"
        "def extract(images):\n"
        "    assert all(i.dtype == np.uint8 and i.shape[2] == 3 for i in images)\n"
        "    return [i.mean((0, 1)) for i in images]\n"
        "class Means:\n"
        "    def fit_transform(self, images, y=None):\n"
        "        return np.array(extract(images))\n"
        "means = Means()\n"
    )
    options = ["--features", f"own_features:{name}", "--no-report"]
    assert main(["pictures", *options]) == 0
    told = capsys.readouterr().out
    assert f"60 images, 3 features by own_features:{name}, kept in pictures-" in told
    classes, clusters, _ = clusters_of_files("pictures-clusters.csv")
    assert clustering_accuracy(classes, clusters) == 1


def test_features_are_kept_beside_the_result(pictures, monkeypatch):
    Path("slow_features.py").write_text(
        "made = []\n"
        "def extract(images):\n"
        "    made.extend(images)\n"
        "    return [i.mean((0, 1)) for i in images]\n"
    )
    for n_clusters in ("3", "4"):
        options = ["--features", "slow_features:extract", "--no-report"]
        options += ["--n-clusters", n_clusters, "--output", "results/found"]
        Path("results").mkdir(exist_ok=True)
        assert main(["pictures", *options]) == 0
    assert len(sys.modules["slow_features"].made) == 60
    names = [path.name for path in sorted(Path("results").iterdir())]
    assert names == ["found-features.npz", "found.csv"]


def test_transparent_images_are_pasted(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("icons").mkdir()
    for i in range(12):
        # A square in the corner or in the middle, on a colour that nobody sees.
        pixels = np.zeros((12, 12, 4), dtype=np.uint8)
        pixels[..., :3] = [255 * (i % 3 == 0), 255 * (i % 3 == 1), 90]
        place = 4 * (i // 6)
        pixels[place : place + 6, place : place + 6] = [20 + i, 20, 20, 255]
        Image.fromarray(pixels).save(f"icons/{i:02}.png")
    assert main(["icons", "--n-clusters", "2", "--no-report"]) == 0
    told = capsys.readouterr().out
    assert "Note: transparent images, 12 of 12, are pasted on white;" in told
    with open("icons-clusters.csv") as file:
        clusters = [row["cluster"] for row in csv.DictReader(file)]
    assert clustering_accuracy([0] * 6 + [1] * 6, clusters) == 1
    assert main(["icons", "--background", "whit"]) == 1
    assert "background='whit' is no colour" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ("own", "must be module:name"),
        ("no_such_module:f", "No module named 'no_such_module'"),
        ("math:no_such_name", "no attribute 'no_such_name'"),
        ("builtins:len", "shape () and type int64 for 32 images"),
    ],
)
def test_unusable_features_are_named(pictures, features, message, capsys):
    assert main(["pictures", "--features", features]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_features_of_a_table_are_refused(blobs, capsys):
    np.save("data.npy", blobs[0])
    assert main(["data.npy", "--features", "builtins:len"]) == 1
    assert "neither images nor texts" in capsys.readouterr().err


def test_the_report_is_of_the_fit_at_hand(blobs, monkeypatch):
    X, _ = blobs
    fits = []
    fit = GraphClustering.fit

    def counted(self, rows, y=None):
        fits.append(len(rows))
        return fit(self, rows, y)

    monkeypatch.setattr(GraphClustering, "fit", counted)
    graph = GraphClustering(random_state=0)
    fresh = compare_clusterers([graph, KMeans(3, random_state=0)], X, progress=False)
    assert fits == [150, 120, 120]
    fitted = {
        "graphclustering": AlreadyFitted(graph.fit(X), 1.25),
        "kmeans": KMeans(3, random_state=0),
    }
    fits.clear()
    known = compare_clusterers(fitted, X, progress=False)
    assert fits == [120, 120]
    assert known.table.loc["graphclustering", "fit_seconds"] == 1.25
    costs = ["fit_seconds", "predict_seconds", "peak_memory_mb"]
    pd.testing.assert_frame_equal(
        known.table.drop(columns=costs), fresh.table.drop(columns=costs)
    )


def test_the_data_are_not_overwritten(blobs, capsys):
    X, _ = blobs
    pd.DataFrame(X).to_csv("data.csv", index=False)
    before = Path("data.csv").read_bytes()
    assert main(["data.csv", "--output", "data"]) == 1
    assert "give another --output" in capsys.readouterr().err
    assert Path("data.csv").read_bytes() == before


@pytest.mark.parametrize("arguments", [[], ["x.csv", "--n-clusters", "0"]])
def test_unusable_arguments_exit_with_two(arguments, capsys):
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_without_the_extra_there_are_labels(blobs, monkeypatch, capsys):
    X, _ = blobs
    np.save("data.npy", X)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["data.npy"]) == 0
    assert "No report: " in capsys.readouterr().out
    assert Path("data-clusters.csv").exists()


def test_parquet(blobs, capsys):
    X, y = blobs
    frame = pd.DataFrame(X, columns=["a", "b"])
    try:
        frame.to_parquet("data.parquet")
    except ImportError:
        Path("data.parquet").write_bytes(b"PAR1")
        assert main(["data.parquet"]) == 1
        assert "pip install pyarrow" in capsys.readouterr().err
    else:
        assert main(["data.parquet", "--no-report"]) == 0
        assert clustering_accuracy(y, labels_in("data-clusters.csv")) == 1
