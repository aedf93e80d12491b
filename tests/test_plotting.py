"""Tests of the displays."""

import io
import sys

import matplotlib
import numpy as np
import pytest
import scipy.sparse as sp
from matplotlib import cbook
from scipy.cluster.hierarchy import linkage
from sklearn.base import clone
from sklearn.cluster import HDBSCAN, AgglomerativeClustering, KMeans
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.metrics import silhouette_samples
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skdeepcluster import (
    Autoencoder,
    AutoencoderGMM,
    DECClustering,
    DeepOutlierDetector,
)
from skdeepcluster.explain import describe_topics
from skdeepcluster.graph import GraphClustering
from skdeepcluster.metrics import clustering_accuracy
from skdeepcluster.plotting import (
    ClusterFeaturesDisplay,
    ClusterImagesDisplay,
    ClusterSizesDisplay,
    ClusterTreeDisplay,
    ConfidenceDisplay,
    EmbeddingDisplay,
    MatchedConfusionDisplay,
    SilhouetteDisplay,
    TopTermsDisplay,
    TrainingHistoryDisplay,
    top_terms,
)
from skdeepcluster.plotting._common import (
    NOISE_COLOR,
    cluster_colors,
    label_name,
    perceived,
)
from skdeepcluster.plotting._page import points_figure

matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")

TEXTS = ["red apple", "apple pie", "sweet apple", "fast car", "car race", "old car"]


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:200], y[:200]


@pytest.fixture(scope="module")
def dec(digits):
    autoencoder = Autoencoder((16,), 3, max_epochs=3, batch_size=32)
    settings = {"max_epochs": 3, "batch_size": 32, "update_interval": 5, "tol": 0}
    dec = DECClustering(5, encoder=autoencoder, random_state=0, **settings)
    return dec.fit(digits[0])


@pytest.fixture(scope="module")
def pipeline(digits, dec):
    return make_pipeline(StandardScaler(), clone(dec)).fit(digits[0])


def draw_all(estimator, X, y, ax):
    """Every display of a deep clusterer, by name."""
    return {
        "embedding": EmbeddingDisplay.from_estimator(estimator, X, ax=ax()),
        "silhouette": SilhouetteDisplay.from_estimator(estimator, X, ax=ax()),
        "sizes": ClusterSizesDisplay.from_estimator(estimator, X, ax=ax()),
        "history": TrainingHistoryDisplay.from_estimator(estimator, ax=ax()),
        "confidence": ConfidenceDisplay.from_estimator(estimator, X, ax=ax()),
        "confusion": MatchedConfusionDisplay.from_estimator(estimator, X, y, ax=ax()),
        "images": ClusterImagesDisplay.from_estimator(estimator, X, ax=ax()),
    }


@pytest.mark.parametrize("piped", [False, True])
def test_every_display_follows_the_convention(piped, digits, dec, pipeline):
    X, y = digits
    axes = [plt.subplots()[1] for _ in range(7)]
    displays = draw_all(pipeline if piped else dec, X, y, iter(axes).__next__)
    for display, ax in zip(displays.values(), axes, strict=True):
        assert display.ax_ is ax
        assert display.figure_ is ax.figure
        ax.figure.canvas.draw()
        # A display draws itself again, on a figure of its own.
        again = display.plot()
        assert again is display
        assert display.ax_ is not ax


def test_drawing_leaves_the_data_alone(digits, dec):
    X, y = digits
    copied = X.copy()
    draw_all(dec, X, y, lambda: None)
    assert np.array_equal(X, copied)


def test_embedding_draws_the_latent_space(digits, dec):
    X, y = digits
    display = EmbeddingDisplay.from_estimator(dec, X)
    expected = PCA(2, random_state=0).fit_transform(dec.transform(X))
    np.testing.assert_allclose(display.points, expected)
    assert np.array_equal(display.labels, dec.predict(X))
    by_class = EmbeddingDisplay.from_estimator(dec, X, y)
    assert np.array_equal(by_class.labels, y)
    drawn = display.ax_.collections[0]
    assert len(drawn.get_offsets()) == 200
    assert drawn.get_rasterized()
    assert len(display.ax_.get_legend().get_texts()) == len(np.unique(dec.labels_))


def test_embedding_of_other_clusterers(digits):
    X, _ = digits
    kmeans = make_pipeline(PCA(2), KMeans(4, random_state=0)).fit(X)
    display = EmbeddingDisplay.from_estimator(kmeans, X)
    assert np.array_equal(display.points, kmeans[:-1].transform(X))
    assert display.axis_names == ("dimension 1", "dimension 2")
    noisy = HDBSCAN(min_cluster_size=10, copy=True).fit(X)
    display = EmbeddingDisplay.from_estimator(noisy, X)
    names = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert "noise" in names
    with pytest.raises(ValueError, match="has no predict"):
        EmbeddingDisplay.from_estimator(noisy, X[:50])


@pytest.mark.parametrize("method", ["pca", "tsne", "umap"])
@pytest.mark.parametrize("sparse", [False, True])
def test_embedding_methods(method, sparse, digits):
    if method == "umap":
        pytest.importorskip("umap")
    X = sp.csr_array(digits[0]) if sparse else digits[0]
    display = EmbeddingDisplay.from_predictions(
        X, digits[1], method=method, sample_size=60
    )
    assert display.points.shape == (60, 2)
    assert np.isfinite(display.points).all()


def test_embedding_refuses_what_it_does_not_know(digits, monkeypatch):
    with pytest.raises(ValueError, match="method must be one of"):
        EmbeddingDisplay.from_predictions(*digits, method="mds")
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        EmbeddingDisplay.from_predictions(digits[0], digits[1][:5])
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(ImportError, match=r"skdeepcluster\[manifold\]"):
        EmbeddingDisplay.from_predictions(*digits, method="umap")


def test_twenty_clusters_have_distinct_colors():
    colors = cluster_colors(np.arange(-1, 20))
    assert colors[-1] == NOISE_COLOR
    rgb = np.array([color[:3] for label, color in colors.items() if label != -1])
    distances = np.linalg.norm(rgb[:, None] - rgb, axis=2)
    assert distances[~np.eye(20, dtype=bool)].min() > 0.12
    labels = np.arange(300) % 21 - 1
    EmbeddingDisplay.from_predictions(np.random.default_rng(0).random((300, 2)), labels)


def test_silhouettes_are_those_of_scikit_learn(digits, dec):
    X, _ = digits
    labels = dec.predict(X)
    display = SilhouetteDisplay.from_estimator(dec, X, space=dec)
    np.testing.assert_allclose(
        display.values, silhouette_samples(dec.transform(X), labels)
    )
    assert f"mean {display.values.mean():.2f}" in display.ax_.get_xlabel()
    noisy = np.where(np.arange(200) < 20, -1, labels)
    display = SilhouetteDisplay.from_predictions(X, noisy)
    expected = silhouette_samples(X[20:], labels[20:])
    np.testing.assert_allclose(display.values, expected)
    with pytest.raises(ValueError, match="needs two clusters"):
        SilhouetteDisplay.from_predictions(X, np.zeros(200, dtype=int))


def test_sizes_are_counts(digits):
    labels = np.repeat([-1, 0, 3], [5, 10, 20])
    display = ClusterSizesDisplay.from_predictions(labels)
    assert [bar.get_height() for bar in display.ax_.patches] == [5, 10, 20]
    ticks = [text.get_text() for text in display.ax_.get_xticklabels()]
    assert ticks == ["noise", "0", "3"]


def test_history_has_a_panel_for_each_phase(dec, digits):
    display = TrainingHistoryDisplay.from_estimator(dec)
    panels = [ax for ax in display.figure_.axes if ax.get_title()]
    phases = ["pretraining", "teaching", "clustering"]
    assert [ax.get_title() for ax in panels] == phases
    for ax, phase in zip(panels, phases, strict=True):
        losses = [epoch["train_loss"] for epoch in dec.history_[phase]]
        assert ax.lines[0].get_ydata().tolist() == losses
    labels = [ax.get_ylabel() for ax in display.figure_.axes]
    assert "labels changed" in labels
    with pytest.raises(TypeError, match="KMeans has no history_"):
        TrainingHistoryDisplay.from_estimator(KMeans(2).fit(digits[0]))
    with pytest.raises(ValueError, match="holds no epoch"):
        TrainingHistoryDisplay({"pretraining": []}).plot()
    figure = plt.figure()
    with pytest.raises(ValueError, match=r"one that plt\.subplots made"):
        display.plot(ax=figure.add_axes((0, 0, 1, 1)))


def test_confidence_needs_probabilities(digits):
    X, _ = digits
    mixture = GaussianMixture(3, reg_covar=1, random_state=0).fit(X)
    display = ConfidenceDisplay.from_estimator(mixture, X)
    assert np.array_equal(display.probabilities, mixture.predict_proba(X))
    with pytest.raises(TypeError, match="KMeans has no predict_proba"):
        ConfidenceDisplay.from_estimator(KMeans(2).fit(X), X)


def test_confusion_puts_matched_clusters_on_the_diagonal():
    y = np.repeat(["a", "b", "c"], 10)
    labels = np.repeat([2, 0, 1], 10)
    labels[0] = -1
    display = MatchedConfusionDisplay.from_predictions(y, labels)
    assert display.clusters.tolist() == [2, 0, 1, -1]
    assert np.array_equal(display.counts, [[9, 0, 0, 1], [0, 10, 0, 0], [0, 0, 10, 0]])
    accuracy = clustering_accuracy(y, labels)
    assert f"accuracy {accuracy:.3f}" in display.ax_.get_title()


@pytest.mark.parametrize("n_clusters", [2, 10, 14])
def test_confusion_of_any_number_of_clusters(n_clusters, digits):
    X, y = digits
    kmeans = KMeans(n_clusters, random_state=0).fit(X)
    display = MatchedConfusionDisplay.from_estimator(kmeans, X, y)
    assert display.counts.sum() == 200
    assert display.counts.shape == (10, n_clusters)
    matched = np.trace(display.counts) / 200
    assert matched == pytest.approx(clustering_accuracy(y, kmeans.labels_))


def test_noise_takes_no_class_from_a_cluster():
    y = np.repeat([0, 1], 10)
    labels = np.repeat([-1, 0, 1], [8, 2, 10])
    display = MatchedConfusionDisplay.from_predictions(y, labels)
    assert display.clusters.tolist() == [0, 1, -1]


def test_images_show_clusters_and_reconstructions(digits, dec):
    X, _ = digits
    display = ClusterImagesDisplay.from_estimator(dec, X, n_images=4)
    labels = dec.predict(X)
    assert display.labels == list(np.unique(labels))
    for label, images, back in zip(
        display.labels, display.images, display.reconstructions, strict=True
    ):
        rows = images.reshape(len(images), -1)
        assert len(rows) == min(4, np.count_nonzero(labels == label))
        assert (dec.predict(rows) == label).all()
        expected = dec.inverse_transform(dec.transform(rows))
        np.testing.assert_allclose(back.reshape(rows.shape), expected, rtol=1e-5)
    plain = ClusterImagesDisplay.from_estimator(dec, X, reconstruct=False)
    assert plain.reconstructions is None


def test_images_in_color_and_of_clusters_without_a_network():
    rng = np.random.default_rng(0)
    X = rng.random((30, 3 * 4 * 5))
    kmeans = KMeans(3, random_state=0).fit(X)
    display = ClusterImagesDisplay.from_estimator(kmeans, X, image_shape=(3, 4, 5))
    assert display.images[0].shape[1:] == (4, 5, 3)
    assert display.ax_.images[0].get_array().shape[-1] == 3
    with pytest.raises(ValueError, match=r"image_shape=\(8, 8\) does not hold 60"):
        ClusterImagesDisplay.from_estimator(kmeans, X)


def test_images_in_either_order_flat_or_not():
    rng = np.random.default_rng(0)
    last = rng.integers(0, 255, size=(20, 6, 5, 3), dtype=np.uint8)
    first = np.moveaxis(last, -1, 1)
    labels = np.arange(20) % 2
    draw = ClusterImagesDisplay.from_predictions
    displays = [
        draw(last, labels),
        draw(first, labels),
        draw(list(last), labels),
        draw(last.reshape(20, -1), labels, image_shape=(6, 5, 3)),
        draw(first.reshape(20, -1), labels, image_shape=(3, 6, 5)),
    ]
    for display in displays:
        assert np.array_equal(display.images[0], displays[0].images[0])
        assert display.images[0].shape == (10, 6, 5, 3)
    # What is on the screen are the colours given.
    drawn = displays[0].ax_.images[0].get_array()
    np.testing.assert_allclose(drawn[:6, :5], displays[0].images[0][0] / 255)
    grey = draw(last[..., :1], labels)
    assert grey.images[0].shape == (10, 6, 5)
    with pytest.raises(ValueError, match="Images with 2 channels can't be drawn"):
        draw(last[..., :2], labels)
    mixed = draw([*last[:19], last[0, :3]], labels)
    assert mixed.images[1].shape == (10, 64, 64, 3)
    with pytest.raises(ValueError, match=r"shape \(3, 5, 3\) and type float64"):
        draw([*last[:19], last[0, :3] / 255], labels)
    with pytest.raises(ValueError, match="two or three dimensions, got 4"):
        draw(last[:, None], labels)


def test_images_that_are_not_the_rows(digits, dec):
    X, _ = digits
    pipeline = make_pipeline(PCA(5), KMeans(3, random_state=0)).fit(X)
    images = np.repeat(X.reshape(-1, 8, 8, 1), 3, axis=-1)
    display = ClusterImagesDisplay.from_estimator(pipeline, X, images=images)
    for label, shown in zip(display.labels, display.images, strict=True):
        rows = shown[..., 0].reshape(len(shown), -1)
        assert (pipeline.predict(rows) == label).all()
    # They have no reconstructions, which are rows.
    display = ClusterImagesDisplay.from_estimator(dec, X, images=images / 16)
    assert display.reconstructions is None
    pictures = pytest.importorskip("PIL.Image")
    pillow = [pictures.fromarray((image * 15).astype(np.uint8)) for image in images]
    display = ClusterImagesDisplay.from_estimator(pipeline, X, images=pillow)
    assert display.images[0].shape[1:] == (8, 8, 3)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        ClusterImagesDisplay.from_estimator(pipeline, X, images=images[:5])


@pytest.mark.parametrize("middle", [[], [TruncatedSVD(4, random_state=0)]])
def test_top_terms_of_centres(middle):
    pipeline = make_pipeline(TfidfVectorizer(), *middle, KMeans(2, random_state=0))
    terms = top_terms(pipeline.fit(TEXTS), n=2)
    names = {words[0]: label for label, words in terms.items()}
    assert set(names) == {"apple", "car"}
    assert pipeline.predict(["apple"])[0] == names["apple"]
    assert all(len(words) == 2 for words in terms.values())
    assert TopTermsDisplay.from_estimator(pipeline).figure_.axes


def test_top_terms_of_a_deep_clusterer():
    autoencoder = Autoencoder((16,), 2, max_epochs=40, lr=1e-2, random_state=0)
    gmm = AutoencoderGMM(2, encoder=autoencoder, reg_covar=1e-2, random_state=0)
    pipeline = make_pipeline(TfidfVectorizer(), gmm).fit(TEXTS * 10)
    first = {words[0] for words in top_terms(pipeline, n=1).values()}
    assert first == {"apple", "car"}


def test_top_terms_of_texts():
    pipeline = make_pipeline(TfidfVectorizer(), TruncatedSVD(2, random_state=0))
    pipeline = make_pipeline(*pipeline, AgglomerativeClustering(2)).fit(TEXTS)
    with pytest.raises(TypeError, match="Give the texts as X"):
        top_terms(pipeline)
    terms = top_terms(pipeline, n=1, X=TEXTS)
    assert sorted(terms.values()) == [["apple"], ["car"]]
    with pytest.raises(ValueError, match="has no predict"):
        top_terms(pipeline, X=TEXTS[:3])
    with pytest.raises(TypeError, match="has a vectorizer and ends in a clusterer"):
        top_terms(KMeans(2))


def test_terms_of_texts_do_not_depend_on_the_network():
    # Trained for no time at all, it decodes every centre to about the same.
    autoencoder = Autoencoder((16,), 2, max_epochs=1, random_state=0)
    gmm = AutoencoderGMM(2, encoder=autoencoder, reg_covar=1e-2, random_state=0)
    pipeline = make_pipeline(TfidfVectorizer(), gmm).fit(TEXTS)
    labels, names = pipeline.predict(TEXTS), pipeline[0].get_feature_names_out()
    weights = pipeline[0].transform(TEXTS).toarray()
    means = np.stack([weights[labels == label].mean(0) for label in np.unique(labels)])
    terms = top_terms(pipeline, n=1, X=TEXTS)
    expected = names[(means - means.mean(0)).argmax(1)]
    assert [words[0] for words in terms.values()] == expected.tolist()


def test_centres_that_are_no_terms_are_refused():
    autoencoder = Autoencoder((16,), 2, max_epochs=1, random_state=0)
    gmm = AutoencoderGMM(2, encoder=autoencoder, reg_covar=1e-2, random_state=0)
    detector = DeepOutlierDetector(gmm)
    pipeline = make_pipeline(TfidfVectorizer(), detector).fit(TEXTS)
    for X in (None, TEXTS):
        with pytest.raises(TypeError, match="ends in a clusterer"):
            top_terms(pipeline, X=X)

    class OwnSpace(AgglomerativeClustering):
        """A clusterer with centres in a space of its own, and no decoder."""

        def fit(self, X, y=None):
            super().fit(X.toarray() if sp.issparse(X) else X)
            self.cluster_centers_ = np.zeros((2, 1))
            return self

    for middle in ([], [TruncatedSVD(4, random_state=0)]):
        pipeline = make_pipeline(TfidfVectorizer(), *middle, OwnSpace(2)).fit(TEXTS)
        with pytest.raises(ValueError, match="Give the texts as X"):
            top_terms(pipeline)
        terms = top_terms(pipeline, n=1, X=TEXTS)
        assert sorted(terms.values()) == [["apple"], ["car"]]


@pytest.mark.parametrize("given", [False, True])
def test_vectorizer_may_stand_anywhere_before_the_clusterer(given):
    lower = FunctionTransformer(
        lambda texts: [text.lower() for text in texts], feature_names_out="one-to-one"
    )
    pipeline = make_pipeline(
        lower,
        CountVectorizer(lowercase=False),
        "passthrough",
        TruncatedSVD(4, random_state=0),
        KMeans(2, random_state=0),
    )
    texts = [text.title() for text in TEXTS]
    terms = top_terms(pipeline.fit(texts), n=1, X=texts if given else None)
    assert sorted(terms.values()) == [["apple"], ["car"]]


def test_texts_in_a_series_or_a_frame():
    pandas = pytest.importorskip("pandas")
    series = pandas.Series(TEXTS, index=list("abcdef"))
    pipeline = make_pipeline(TfidfVectorizer(), KMeans(2, random_state=0)).fit(series)
    expected = top_terms(pipeline, X=TEXTS)
    assert top_terms(pipeline, X=series) == expected
    assert top_terms(pipeline, X=iter(TEXTS)) == expected
    frame = pandas.DataFrame({"text": TEXTS, "size": range(6)})
    columns = make_column_transformer((TfidfVectorizer(), "text"))
    pipeline = make_pipeline(columns, KMeans(2, random_state=0)).fit(frame)
    terms = top_terms(pipeline, n=1, X=frame)
    assert {words[0].split("__")[1] for words in terms.values()} == {"apple", "car"}


def test_terms_of_one_cluster_and_of_noise_only():
    pipeline = make_pipeline(TfidfVectorizer(), KMeans(1)).fit(TEXTS)
    display = TopTermsDisplay.from_estimator(pipeline, TEXTS)
    assert {"apple", "car"} <= {term for term, _ in display.terms[0]}
    noise = make_pipeline(TfidfVectorizer(), HDBSCAN(min_cluster_size=6, copy=True))
    with pytest.raises(ValueError, match="Every text is noise"):
        top_terms(noise.fit(TEXTS), X=TEXTS)


@pytest.mark.parametrize("to_format", [np.asarray, sp.csr_array, sp.coo_matrix])
def test_terms_of_given_labels(to_format):
    vectorizer = TfidfVectorizer()
    X = to_format(vectorizer.fit_transform(TEXTS).toarray())
    names = vectorizer.get_feature_names_out()
    labels = np.array(["food"] * 3 + ["cars"] * 3)
    display = TopTermsDisplay.from_predictions(X, labels, names, n=1)
    assert {label: terms[0][0] for label, terms in display.terms.items()} == {
        "food": "apple",
        "cars": "car",
    }
    with pytest.raises(ValueError, match=r"names has 2 terms and X \d+ columns"):
        TopTermsDisplay.from_predictions(X, labels, names[:2])


def embed(texts):
    """Embeddings of texts about fruit and cars, without a word left in them."""
    return np.array([["apple" in text, "car" in text] for text in texts], dtype=float)


@pytest.mark.parametrize("middle", [[], [StandardScaler(), PCA(2)]])
def test_terms_of_texts_that_were_embedded(middle):
    pipeline = make_pipeline(
        FunctionTransformer(embed), *middle, KMeans(2, random_state=0)
    ).fit(TEXTS)
    terms = top_terms(pipeline, n=2, X=TEXTS)
    fruit, cars = pipeline.predict(["apple", "car"])
    assert {label: words[0] for label, words in terms.items()} == {
        fruit: "apple",
        cars: "car",
    }
    # They are the weights of a vectorizer in the same pipeline.
    vectorizer = TfidfVectorizer(sublinear_tf=True, stop_words="english")
    by_words = make_pipeline(vectorizer, KMeans(2, random_state=0)).fit(TEXTS)
    expected = top_terms(by_words, n=2, X=TEXTS)
    assert sorted(terms.values()) == sorted(expected.values())
    display = TopTermsDisplay.from_estimator(pipeline, TEXTS, n=1)
    assert {words[0][0] for words in display.terms.values()} == {"apple", "car"}


def test_terms_of_labels_and_of_a_vectorizer_of_their_own():
    labels = np.array(["food"] * 3 + ["cars"] * 3)
    expected = {"cars": ["car"], "food": ["apple"]}
    assert top_terms(None, n=1, X=TEXTS, labels=labels) == expected
    assert top_terms(None, n=1, X=iter(TEXTS), labels=list(labels)) == expected
    pairs = CountVectorizer(ngram_range=(2, 2))
    terms = top_terms(None, n=9, X=TEXTS, labels=labels, vectorizer=pairs)
    assert sorted(terms["cars"]) == ["car race", "fast car", "old car"]
    assert not hasattr(pairs, "vocabulary_")
    few = CountVectorizer().fit(["pie race"])
    terms = top_terms(None, X=TEXTS, labels=labels, vectorizer=few)
    assert terms == {"cars": ["race"], "food": ["pie"]}
    display = TopTermsDisplay.from_predictions(TEXTS, labels, n=1, vectorizer=few)
    assert [words[0][0] for words in display.terms.values()] == ["race", "pie"]
    noisy = top_terms(None, n=1, X=TEXTS, labels=[0, 0, -1, 1, 1, -1])
    assert noisy == {0: ["apple"], 1: ["car"]}
    pandas = pytest.importorskip("pandas")
    column = pandas.Series(TEXTS, index=list("abcdef"))
    assert top_terms(None, n=1, X=column, labels=labels) == expected


def test_terms_that_cannot_be_had_are_told_the_way_round():
    labels = [0, 0, 0, 1, 1, 1]
    embedded = make_pipeline(FunctionTransformer(embed), KMeans(2)).fit(TEXTS)
    with pytest.raises(TypeError, match=r"Give the texts as X"):
        top_terms(embedded)
    with pytest.raises(TypeError, match=r"as labels=, such as labels_"):
        top_terms(KMeans(2).fit(embed(TEXTS)), X=TEXTS)
    with pytest.raises(TypeError, match="give labels="):
        top_terms(None, X=TEXTS)
    with pytest.raises(TypeError, match="want the texts: give them as X"):
        top_terms(None, labels=labels)
    with pytest.raises(ValueError, match="There are 6 labels and 2 texts"):
        top_terms(None, X=TEXTS[:2], labels=labels)
    with pytest.raises(ValueError, match="a column of strings, got ndarray"):
        top_terms(None, X=embed(TEXTS), labels=labels)
    with pytest.raises(ValueError, match="X must hold texts"):
        top_terms(None, X="abcdef", labels=labels)


def test_embedding_takes_every_argument_of_scatter():
    points = np.random.default_rng(0).random((20, 2))
    labels = np.arange(20) % 2
    for name in ("c", "color", "facecolor"):
        display = EmbeddingDisplay.from_predictions(points, labels, **{name: "red"})
        assert display.ax_.collections[0].get_facecolor()[0, :3].tolist() == [1, 0, 0]
        # It would show colours that aren't there.
        assert display.ax_.get_legend() is None
    display = EmbeddingDisplay.from_predictions(points, labels, linewidth=3)
    assert display.ax_.collections[0].get_linewidths() == [3]
    assert display.ax_.get_legend() is not None
    # Rows are drawn in an order of their own.
    sizes = list(range(1, 21))
    drawn = display.plot(s=sizes, c=points[:, 0]).ax_.collections[0]
    order = [points.tolist().index(point) for point in drawn.get_offsets().tolist()]
    assert order != sorted(order)
    assert drawn.get_sizes().tolist() == [sizes[row] for row in order]
    assert np.array_equal(drawn.get_array(), points[order, 0])


def test_missing_classes_are_named(digits, dec):
    X, y = digits
    missing = np.where(np.arange(200) == 3, np.nan, y)
    with pytest.raises(ValueError, match="y has missing values"):
        EmbeddingDisplay.from_estimator(dec, X, missing)
    with pytest.raises(ValueError, match="y has missing values"):
        MatchedConfusionDisplay.from_estimator(dec, X, missing)
    with pytest.raises(ValueError, match="labels has missing values"):
        ClusterSizesDisplay.from_predictions(missing)


@pytest.mark.parametrize("method", ["tsne", "umap"])
def test_embedding_of_few_rows(method, digits):
    if method == "umap":
        pytest.importorskip("umap")
    X, y = digits
    display = EmbeddingDisplay.from_predictions(X[:8], y[:8], method=method)
    assert np.isfinite(display.points).all()


def test_transformer_without_clusters_needs_classes(digits):
    X, y = digits
    network = Autoencoder((16,), 3, max_epochs=1).fit(X)
    for display in (EmbeddingDisplay, SilhouetteDisplay, ClusterSizesDisplay):
        with pytest.raises(TypeError, match="Autoencoder has neither predict nor"):
            display.from_estimator(network, X)
    assert len(EmbeddingDisplay.from_estimator(network, X, y).points) == 200


def test_silhouettes_in_a_space_that_a_function_makes(digits, dec):
    X, _ = digits
    expected = SilhouetteDisplay.from_estimator(dec, X, space=dec)
    display = SilhouetteDisplay.from_estimator(dec, X, space=dec.transform)
    assert np.array_equal(display.values, expected.values)
    with pytest.raises(ValueError, match="space=PCA is not fitted"):
        SilhouetteDisplay.from_estimator(dec, X, space=PCA(2))
    with pytest.raises(ValueError, match="fewer of them than rows: labels has 200"):
        SilhouetteDisplay.from_predictions(X, np.arange(200))


def test_noise_of_any_kind_is_one():
    labels = np.repeat([-3, -2, -1, 0, 1], 4)
    sizes = ClusterSizesDisplay.from_predictions(labels)
    assert [bar.get_height() for bar in sizes.ax_.patches] == [12, 4, 4]
    confusion = MatchedConfusionDisplay.from_predictions(labels, labels)
    assert confusion.clusters.tolist() == [0, 1, -1]
    X = np.random.default_rng(0).random((20, 2))
    assert len(SilhouetteDisplay.from_predictions(X, labels).values) == 8
    points = EmbeddingDisplay.from_predictions(X, labels)
    assert np.unique(points.labels).tolist() == [-1, 0, 1]
    images = ClusterImagesDisplay.from_predictions(np.repeat(X, 2, axis=1), labels)
    assert images.labels == [-1, 0, 1]


def test_probabilities_have_two_dimensions():
    with pytest.raises(ValueError, match=r"got shape \(3,\)"):
        ConfidenceDisplay.from_predictions([0.1, 0.2, 0.7])


@pytest.mark.parametrize("to_sparse", [sp.csr_array, sp.coo_array, sp.bsr_matrix])
def test_displays_of_sparse_rows(to_sparse, digits, dec):
    X, y = digits
    given = to_sparse(X)
    draw_all(dec, given, y, lambda: None)
    display = ClusterImagesDisplay.from_predictions(given, y)
    expected = ClusterImagesDisplay.from_predictions(X, y)
    assert np.array_equal(display.images[0], expected.images[0])
    plane = EmbeddingDisplay.from_predictions(to_sparse(X[:, 20:22]), y)
    assert np.array_equal(plane.points, X[:, 20:22])


@pytest.fixture(scope="module")
def graph(digits):
    return GraphClustering(6, n_init=2, random_state=0).fit(digits[0])


def names_of(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


@pytest.mark.parametrize("piped", [False, True])
def test_tree_names_the_clusters_and_the_layers(piped, graph, digits):
    if piped:
        graph = make_pipeline(StandardScaler(), clone(graph)).fit(digits[0])
    ax = plt.subplots()[1]
    display = ClusterTreeDisplay.from_estimator(graph, ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    ax.figure.canvas.draw()
    final = graph[-1] if piped else graph
    sizes = np.bincount(final.labels_)
    named = dict(name.split("\n") for name in names_of(ax.xaxis))
    assert named == {str(c): str(size) for c, size in enumerate(sizes)}
    (side,) = ax.child_axes
    lines = ", ".join(names_of(side.yaxis)).split(", ")
    assert sorted(map(int, lines)) == final.layers_
    again = display.plot()
    assert again is display
    assert display.ax_ is not ax


@pytest.mark.parametrize("n_clusters", [1, 2, 10, 30])
@pytest.mark.parametrize("all_leaves", [False, True])
def test_tree_of_any_number_of_clusters(n_clusters, all_leaves):
    rows = np.random.default_rng(0).normal(size=(60, 2))
    display = ClusterTreeDisplay.from_linkage(
        linkage(rows, "average"), n_clusters, layers=[2, 5], all_leaves=all_leaves
    )
    ax = display.ax_
    display.figure_.canvas.draw()
    names = [
        name.replace("(", "").replace(")", "").split() for name in names_of(ax.xaxis)
    ]
    assert sorted(int(cluster) for cluster, _ in names) == list(range(n_clusters))
    assert sum(int(size) for _, size in names) == 60
    # Three lines a merge that is seen, and the trunk.
    (lines,) = ax.collections
    assert len(lines.get_segments()) == 3 * (59 if all_leaves else n_clusters - 1) + 1
    assert len(ax.patches) == (0 if all_leaves else n_clusters)
    colors = cluster_colors(np.arange(n_clusters)).values()
    drawn = {tuple(color[:3]) for color in lines.get_colors()}
    assert {tuple(color) for color in colors} <= drawn


def test_lines_of_layers_lie_between_merges(graph):
    display = ClusterTreeDisplay.from_estimator(graph)
    heights = sorted({line.get_ydata()[0] for line in display.ax_.lines})
    left = [1 + np.count_nonzero(graph.distances_ > height) for height in heights]
    assert left == graph.layers_[::-1]


def test_tree_of_one_leaf_and_of_merges_at_no_distance(digits):
    alike = GraphClustering(random_state=0).fit(np.ones((5, 2)))
    display = ClusterTreeDisplay.from_estimator(alike)
    assert names_of(display.ax_.xaxis) == ["0\n5"]
    display = ClusterTreeDisplay.from_linkage([[0, 1, 0, 2], [2, 3, 0, 3]], 2)
    assert names_of(display.ax_.xaxis) == ["0\n2", "1\n1"]


def test_tree_refuses_what_it_cannot_draw(graph, digits):
    with pytest.raises(TypeError, match="KMeans has no linkage_"):
        ClusterTreeDisplay.from_estimator(KMeans(2).fit(digits[0]))
    with pytest.raises(ValueError, match="n_clusters=1000 must be"):
        ClusterTreeDisplay.from_estimator(graph, n_clusters=1000)
    with pytest.raises(ValueError, match="layers has 0"):
        ClusterTreeDisplay.from_linkage([[0, 1, 1, 2]], 2, layers=[0])
    with pytest.raises(ValueError, match="must have four columns"):
        ClusterTreeDisplay.from_linkage([[0, 1]], 2)
    with pytest.raises(ValueError, match="sizes has shape"):
        ClusterTreeDisplay.from_linkage([[0, 1, 1, 2]], 2, sizes=[1, 2, 3])


def test_missing_matplotlib_names_the_extra(digits, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"skdeepcluster\[plot\]"):
        EmbeddingDisplay.from_predictions(*digits)


def texts_drawn(display):
    """The texts of a picture that are seen, and where they are without arrows."""
    figure = display.figure_
    figure.canvas.draw()
    texts = display.ax_.findobj(plt.Text)
    return [
        (text.get_text(), plt.Text.get_window_extent(text))
        for text in texts
        if text.get_text() and text.get_visible()
    ]


def no_two_overlap(boxes):
    boxes = [box for box in boxes if box.width > 0]
    return not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


LONG = [f"the name of group {letter} is a long one" for letter in "abcdefghij"]


@pytest.mark.parametrize("n_clusters", [10, 30])
def test_names_do_not_run_into_each_other(n_clusters):
    rng = np.random.default_rng(0)
    names = np.array([LONG[i % 10] + f" {i}" for i in range(n_clusters)])
    labels = names[np.arange(1500) % n_clusters]
    X = rng.normal(size=(1500, 2)) + 5 * (np.arange(1500) % n_clusters)[:, None]
    for display in (
        ClusterSizesDisplay.from_predictions(labels),
        SilhouetteDisplay.from_predictions(X, labels),
        MatchedConfusionDisplay.from_predictions(labels, labels),
        ClusterImagesDisplay.from_predictions(rng.random((1500, 16)), labels),
        EmbeddingDisplay.from_predictions(X, labels),
    ):
        # Names, those of the legend included, and titles of axes.
        texts = texts_drawn(display)
        assert sum(text.startswith("the name") for text, _ in texts) >= n_clusters
        assert no_two_overlap([box for _, box in texts])


def test_long_names_keep_both_ends():
    assert label_name(LONG[0] + " 1") == "the name of gro…ng one 1"
    assert label_name("two\nlines") == "two lines"
    assert label_name(-1) == "noise"


@pytest.mark.parametrize("name", ["$5", "$5 to $6", r"$\frac{", r"a \$ b$c"])
def test_a_dollar_is_a_dollar(name):
    labels = np.array([name, "other"])[np.arange(40) % 2]
    X = np.random.default_rng(0).random((40, 4))
    displays = [
        ClusterSizesDisplay.from_predictions(labels),
        SilhouetteDisplay.from_predictions(X, labels),
        MatchedConfusionDisplay.from_predictions(labels, labels),
        ClusterImagesDisplay.from_predictions(X, labels),
        EmbeddingDisplay.from_predictions(X, labels),
        TopTermsDisplay.from_predictions(X, labels, [name, "b", "c", "d"]),
    ]
    for display in displays:
        display.figure_.canvas.draw()
        texts = [
            text
            for text in display.figure_.findobj(plt.Text)
            if "$" in text.get_text() or "frac" in text.get_text()
        ]
        assert texts
        assert all(cbook.is_math_text(text.get_text()) is False for text in texts)


def test_thirty_clusters_have_colors_that_the_eye_tells_apart():
    colors = list(cluster_colors(np.arange(-1, 30)).values())
    assert len(colors) == 31
    places = perceived(np.array(colors))
    distances = np.linalg.norm(places[:, None] - places, axis=2)
    assert distances[~np.eye(31, dtype=bool)].min() > 20
    # A cluster keeps its colour when there are more of them.
    assert np.array_equal(colors[1:13], list(cluster_colors(np.arange(12)).values()))


def test_differences_to_the_eye_are_those_of_cielab():
    # Lightness, green to red and blue to yellow of sRGB's primaries, by the standard.
    expected = [[100, 0, 0], [53.24, 80.09, 67.20], [32.30, 79.19, -107.86]]
    found = perceived(np.array([[1, 1, 1], [1, 0, 0], [0, 0, 1.0]]))
    np.testing.assert_allclose(found, expected, atol=0.05)


def test_a_small_bar_beside_a_large_one_is_seen():
    display = ClusterSizesDisplay.from_predictions(np.repeat([0, 1], [60_000, 50]))
    display.figure_.canvas.draw()
    heights = [bar.get_window_extent().height for bar in display.ax_.patches]
    assert heights[1] > 0.2 * heights[0]
    assert "logarithmic" in display.ax_.get_ylabel()
    near = ClusterSizesDisplay.from_predictions(np.repeat([0, 1], [60, 50]))
    assert near.ax_.get_yscale() == "linear"


def test_confidence_has_room_for_what_is_nearly_sure():
    probabilities = np.full((30, 3), 0.01)
    probabilities[:, 0] = np.repeat([0.9, 0.99, 0.999], 10)
    display = ConfidenceDisplay.from_predictions(probabilities)
    display.figure_.canvas.draw()
    ax = display.ax_
    to_pixels = ax.transData.transform
    heights = [to_pixels((0, p))[1] for p in (0, 0.9, 0.99, 0.999)]
    np.testing.assert_allclose(np.diff(heights), np.diff(heights)[0], rtol=1e-6)
    names = [label.get_text() for label in ax.get_xticklabels()]
    assert names == ["0", "1 (no rows)", "2 (no rows)"]


def test_a_name_stands_on_rows_of_its_cluster():
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 2 * np.pi, 500)
    ring = 10 * np.column_stack([np.cos(angle), np.sin(angle)])
    X = np.concatenate([ring, rng.normal(size=(200, 2))])
    display = EmbeddingDisplay.from_predictions(X, np.repeat([0, 1], [500, 200]))
    places = {text.get_text(): text.xy for text in display.ax_.texts}
    assert np.hypot(*places["0"]) > 9
    assert np.hypot(*places["1"]) < 3


def test_a_large_confusion_has_no_numbers():
    rng = np.random.default_rng(0)
    y, labels = rng.integers(0, 40, 5000), rng.integers(0, 60, 5000)
    display = MatchedConfusionDisplay.from_predictions(y, labels)
    assert display.counts.shape == (40, 60)
    assert not display.ax_.texts
    assert no_two_overlap([box for _, box in texts_drawn(display)])


def test_a_panel_without_terms_says_so():
    display = TopTermsDisplay({0: []}).plot()
    (text,) = [text.get_text() for ax in display.figure_.axes for text in ax.texts]
    assert text.startswith("No term has more weight")


def test_small_clusters_have_blades_with_names():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(12), [2000] + 11 * [6])
    X = rng.normal(size=(len(labels), 2)) + 9 * labels[:, None]
    display = SilhouetteDisplay.from_predictions(X, labels)
    names = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert names == [str(i) for i in range(12)]
    assert no_two_overlap([box for _, box in texts_drawn(display)])


def test_many_phases_are_drawn_in_lines():
    epochs = [{"train_loss": 1.0}, {"train_loss": 0.5}]
    history = {f"phase {i}": epochs for i in range(5)}
    display = TrainingHistoryDisplay(history).plot()
    titles = [ax.get_title() for ax in display.figure_.axes if ax.get_title()]
    assert titles == list(history)
    lines = {ax.get_subplotspec().rowspan.start for ax in display.figure_.axes[1:]}
    assert lines == {0, 1}


def test_page_of_points_says_what_each_is(digits, tmp_path):
    pytest.importorskip("plotly")
    X, y = digits
    labels = np.where(y > 2, -1, y)
    display = EmbeddingDisplay.from_predictions(X, labels, sample_size=50, title="<i>")
    about = [f"<script>{row}</script>" for row in range(200)]
    figure = points_figure(display, about)
    assert [trace.name.partition(" ")[0] for trace in figure.data] == [
        *("noise", "0", "1", "2")
    ]
    drawn = 0
    for trace, label in zip(figure.data, [-1, 0, 1, 2], strict=True):
        for x, text in zip(trace.x, trace.text, strict=True):
            row = int(text.partition("row ")[2].partition("<")[0])
            point = display.rows.tolist().index(row)
            assert x == display.points[point, 0]
            assert labels[row] == label
            assert text.endswith(f"<br>&lt;script&gt;{row}&lt;/script&gt;")
            drawn += 1
    assert drawn == 50
    path = tmp_path / "points.html"
    display.to_html(path, about)
    page = path.read_text(encoding="utf-8")
    assert "<script>7" not in page
    # What it is drawn by is in it, not at an address.
    assert "<script src" not in page
    assert len(page) > 1_000_000


def test_page_of_points_about_columns(digits, dec):
    pytest.importorskip("plotly")
    pd = pytest.importorskip("pandas")
    X, y = digits
    frame = pd.DataFrame({"digit": y, "text": ["word " * 200] * 200}, index=y)
    display = EmbeddingDisplay.from_estimator(dec, X, sample_size=30)
    figure = points_figure(display, frame)
    texts = [text for trace in figure.data for text in trace.text]
    assert len(texts) == 30
    for text in texts:
        head, digit, *lines = text.split("<br>")
        row = int(head.rpartition(" ")[2])
        assert digit == f"digit: {y[row]}"
        assert len(lines) == 6
        assert lines[-1].endswith("…")
    whole = EmbeddingDisplay(display.points, display.labels)
    assert sum(len(trace.x) for trace in points_figure(whole, None).data) == 30


def test_page_of_points_refuses(digits, monkeypatch, tmp_path):
    X, y = digits
    display = EmbeddingDisplay.from_predictions(X, y, sample_size=50)
    # The rows drawn are not those that the display was made from.
    with pytest.raises(ValueError, match="50 entries for 200 rows"):
        display.to_html(tmp_path / "a.html", about=["text"] * 50)
    monkeypatch.setitem(sys.modules, "plotly.graph_objects", None)
    with pytest.raises(ImportError, match=r"skdeepcluster\[interactive\]"):
        display.to_html(tmp_path / "a.html")
    assert not list(tmp_path.iterdir())


def words_of(figure):
    return " ".join(text.get_text() for text in figure.findobj(matplotlib.text.Text))


def test_every_display_has_the_names_that_clusters_were_given(digits):
    X, y = digits
    graph = GraphClustering(4, random_state=0).fit(X).rename_cluster(2, "news")
    names = {"cluster_names": graph.cluster_names_}
    labels, shares = graph.labels_, graph.predict_proba(X)
    drawn = [
        EmbeddingDisplay.from_estimator(graph, X),
        EmbeddingDisplay.from_predictions(X, labels, **names),
        SilhouetteDisplay.from_estimator(graph, X),
        SilhouetteDisplay.from_predictions(X, labels, **names),
        ClusterSizesDisplay.from_estimator(graph, X),
        ClusterSizesDisplay.from_predictions(labels, **names),
        ConfidenceDisplay.from_estimator(graph, X),
        ConfidenceDisplay.from_predictions(shares, **names),
        MatchedConfusionDisplay.from_estimator(graph, X, y),
        MatchedConfusionDisplay.from_predictions(y, labels, **names),
        ClusterImagesDisplay.from_estimator(graph, X),
        ClusterImagesDisplay.from_predictions(X, labels, **names),
        ClusterFeaturesDisplay.from_estimator(graph, X),
        ClusterFeaturesDisplay.from_predictions(X, labels, **names),
        ClusterTreeDisplay.from_estimator(graph),
    ]
    for display in drawn:
        words = words_of(display.figure_)
        assert "2: news" in words, type(display).__name__
        assert "1:" not in words
    page = io.StringIO()
    drawn[0].to_html(page)
    assert "2: news" in page.getvalue()
    # Classes are no clusters.
    assert "news" not in words_of(EmbeddingDisplay.from_estimator(graph, X, y).figure_)
    with pytest.raises(TypeError, match="must be a dictionary from labels to names"):
        ClusterSizesDisplay.from_predictions(labels, cluster_names=["a", "b"])


def test_terms_have_the_names_of_their_clusters():
    texts = ["red apple", "apple pie", "an apple", "fast car", "car race", "a car"] * 3
    pipeline = make_pipeline(TfidfVectorizer(), GraphClustering(2, random_state=0))
    pipeline.fit(texts)[-1].rename_cluster(1, "fun")
    display = TopTermsDisplay.from_estimator(pipeline, texts)
    assert "cluster 1: fun" in words_of(display.figure_)
    assert describe_topics(pipeline, texts)["name"][1] == "fun"
    weights = pipeline[0].transform(texts)
    display = TopTermsDisplay.from_predictions(
        weights,
        pipeline[-1].labels_,
        pipeline[0].get_feature_names_out(),
        cluster_names={0: "more"},
    )
    assert "cluster 0: more" in words_of(display.figure_)


def test_branches_have_the_numbers_of_edited_clusters(digits):
    graph = GraphClustering(5, random_state=0).fit(digits[0])
    graph.merge_clusters([3, 1]).drop_cluster(0).rename_cluster(4, "a long name")
    display = ClusterTreeDisplay.from_estimator(graph)
    ticks = [each.get_text() for each in display.ax_.get_xticklabels()]
    sizes = np.bincount(graph.labels_[graph.labels_ > 0])
    names = {2: "2", 3: "3", 4: "4: a long name"}
    assert sorted(ticks) == [f"{name} ({sizes[it]})" for it, name in names.items()]
    display = ClusterTreeDisplay.from_estimator(graph, n_clusters=2)
    assert "long" not in words_of(display.figure_)
    with pytest.raises(ValueError, match="has 1 names and n_clusters is 2"):
        ClusterTreeDisplay.from_linkage([[0, 1, 1, 2]], 2, cluster_names=["a"])
