"""Divergence-based clustering: its terms, its restarts, its network."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score

from skdeepcluster import Autoencoder, DDCClustering
from skdeepcluster import functional as F
from skdeepcluster.estimators._ddc import ddc_terms
from skdeepcluster.graph import GraphClustering
from skdeepcluster.metrics import clustering_accuracy

RNG = np.random.RandomState(0)
HIDDEN = RNG.normal(size=(9, 4))
ASSIGNMENT = RNG.dirichlet(np.full(3, 0.3), size=9)


def kernel_by_loops(h, bandwidth):
    n = len(h)
    distances = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            distances[i, j] = sum((h[i, d] - h[j, d]) ** 2 for d in range(h.shape[1]))
    # The median of an odd number of distances, the diagonal among them.
    scale = bandwidth * sorted(distances.ravel())[n * n // 2]
    return np.exp(-distances / (2 * scale))


def product_by_loops(a, b, kernel):
    return sum(a[q] * kernel[q, r] * b[r] for q in range(len(a)) for r in range(len(b)))


def divergence_by_loops(assignment, kernel):
    k = assignment.shape[1]
    total = 0.0
    for i in range(k):
        for j in range(i + 1, k):
            a, b = assignment[:, i], assignment[:, j]
            own = product_by_loops(a, a, kernel) * product_by_loops(b, b, kernel)
            between = max(product_by_loops(a, b, kernel), 1e-9)
            total += between / np.sqrt(max(own, 1e-18))
    return 2 / (k * (k - 1)) * total


def overlap_by_loops(assignment):
    n = len(assignment)
    total = sum(
        assignment[i] @ assignment[j] for i in range(n) for j in range(i + 1, n)
    )
    return 2 / (n * (n - 1)) * total


def corners_by_loops(assignment):
    n, k = assignment.shape
    similarity = np.zeros((n, k))
    for q in range(n):
        for i in range(k):
            corner = np.eye(k)[i]
            similarity[q, i] = np.exp(-(np.linalg.norm(assignment[q] - corner) ** 2))
    return similarity


def test_kernel():
    actual = F.gaussian_kernel(torch.from_numpy(HIDDEN), 0.15).numpy()
    np.testing.assert_allclose(actual, kernel_by_loops(HIDDEN, 0.15))


def test_no_gradient_through_the_kernel_scale():
    h = torch.from_numpy(HIDDEN).requires_grad_()
    weights = torch.from_numpy(RNG.normal(size=(9, 9)))
    (F.gaussian_kernel(h, 0.5) * weights).sum().backward()
    distances = np.square(HIDDEN[:, None] - HIDDEN).sum(2)
    scale = 0.5 * np.sort(distances.ravel())[40]
    kernel = kernel_by_loops(HIDDEN, 0.5)
    expected = np.zeros_like(HIDDEN)
    for i in range(9):
        for j in range(9):
            pull = (weights[i, j] + weights[j, i]).item() * kernel[i, j] / scale
            expected[i] -= pull * (HIDDEN[i] - HIDDEN[j])
    np.testing.assert_allclose(h.grad.numpy(), expected)


@pytest.mark.parametrize("empty", [False, True])
def test_divergence(empty):
    assignment = ASSIGNMENT.copy()
    if empty:
        assignment[:, 0] = 0
    kernel = kernel_by_loops(HIDDEN, 0.15)
    actual = F.cauchy_schwarz_divergence(*map(torch.from_numpy, (assignment, kernel)))
    assert actual.item() == pytest.approx(divergence_by_loops(assignment, kernel))


def test_a_single_cluster_diverges_from_nothing():
    kernel = torch.from_numpy(kernel_by_loops(HIDDEN, 0.15))
    one = torch.ones(9, 1, dtype=torch.float64, requires_grad=True)
    divergence = F.cauchy_schwarz_divergence(one, kernel)
    divergence.backward()
    assert divergence.item() == 0
    assert torch.isfinite(one.grad).all()


def test_terms():
    terms = ddc_terms(torch.from_numpy(HIDDEN), torch.from_numpy(ASSIGNMENT), 0.15)
    kernel = kernel_by_loops(HIDDEN, 0.15)
    expected = [
        divergence_by_loops(ASSIGNMENT, kernel),
        overlap_by_loops(ASSIGNMENT),
        divergence_by_loops(corners_by_loops(ASSIGNMENT), kernel),
    ]
    np.testing.assert_allclose(terms.numpy(), expected)


def ddc(**settings):
    network = Autoencoder(hidden_units=(32,), max_epochs=0)
    return DDCClustering(
        **{
            "n_clusters": 4,
            "encoder": network,
            "init": "k-means",
            "lr": 1e-3,
            "random_state": 0,
            **settings,
        }
    )


def test_separated_blobs_are_found():
    X, y = make_blobs(400, 10, centers=4, cluster_std=0.5, random_state=0)
    model = ddc(max_epochs=30).fit(X)
    assert clustering_accuracy(y, model.labels_) == 1
    assert np.array_equal(model.predict(X), model.labels_)


def test_the_training_of_lowest_divergence_is_kept(digits, monkeypatch):
    divergences = []
    mean_terms = DDCClustering._mean_terms

    def listen(self, module, X):
        terms = mean_terms(self, module, X)
        divergences.append(terms[0])
        return terms

    monkeypatch.setattr(DDCClustering, "_mean_terms", listen)
    model = ddc(n_init=4, max_epochs=2).fit(digits)
    assert len(set(divergences)) == 4
    assert model.divergence_ == min(divergences)


def test_no_cluster_starts_empty(digits):
    for seed in range(5):
        model = ddc(n_clusters=20, n_init=1, max_epochs=0, random_state=seed)
        assert len(np.unique(model.fit_predict(digits))) == 20


def test_the_graph_is_taught_and_kept(digits):
    drawn = GraphClustering(9, random_state=0).fit_predict(digits)
    graph = GraphClustering(random_state=0)
    model = ddc(n_clusters=9, init=graph, lr=1e-4, max_epochs=5).fit(digits)
    assert adjusted_rand_score(drawn, model.labels_) > 0.9
    assert len(model.history_["teaching"]) > 0
    assert len(model.history_["clustering"]) == model.n_iter_ == 5
    plain = ddc(n_clusters=9, max_epochs=30, n_init=3).fit(digits)
    assert adjusted_rand_score(drawn, plain.labels_) < 0.8


def test_starts_that_it_does_not_take(digits):
    graph = GraphClustering(4)
    with pytest.raises(ValueError, match=r"init=GraphClustering.*n_clusters=5"):
        ddc(n_clusters=5, init=graph).fit(digits)
    with pytest.raises(ValueError, match="The 'init' parameter of DDCClustering"):
        ddc(init=np.zeros((4, 100))).fit(digits)


def test_the_number_of_clusters_is_found():
    X, y = make_blobs(400, 10, centers=5, cluster_std=0.5, random_state=0)
    model = ddc(n_clusters=None, init="graph").fit(X)
    assert model.n_clusters_ == 5
    assert clustering_accuracy(y, model.labels_) == 1
    with pytest.raises(ValueError, match="n_clusters=None"):
        ddc(n_clusters=None).fit(X)


def test_clusters_that_training_empties_are_dropped(digits, monkeypatch):
    def emptied(self, module, X):
        module.head.output.bias.data[2] = -1e6
        return np.zeros(3)

    monkeypatch.setattr(DDCClustering, "_mean_terms", emptied)
    X, _ = make_blobs(400, 10, centers=5, cluster_std=0.5, random_state=0)
    model = ddc(n_clusters=None, init="graph").fit(X)
    assert model.n_clusters_ == 4
    assert set(model.labels_) == set(range(4))
    assert model.predict_proba(X).shape == (400, 4)
    copy = pickle.loads(pickle.dumps(model))
    assert np.array_equal(copy.predict(X), model.labels_)


def test_transform_is_the_hidden_layer(digits):
    model = ddc(n_hidden=7, n_init=1, max_epochs=1).fit(digits)
    assert model.transform(digits).shape == (1100, 7)
    assert len(model.get_feature_names_out()) == 7
    assert not hasattr(model, "inverse_transform")
    assert model.module_.decoder is None


def test_a_fitted_autoencoder_gives_the_weights_to_start_from(digits):
    encoder = Autoencoder((32,), max_epochs=1, random_state=0).fit(digits)
    model = ddc(encoder=encoder, max_epochs=0).fit(digits)
    first, start = (est.module_.encoder[0].weight for est in (model, encoder))
    assert torch.equal(first, start)
    ddc(encoder=encoder, max_epochs=1, n_init=1).fit(digits)
    assert torch.equal(encoder.module_.encoder[0].weight, start)
    assert encoder.module_.decoder is not None


def test_convolutional_ddc(digits):
    network = Autoencoder(network="conv", max_epochs=0)
    model = ddc(encoder=network, n_init=1, max_epochs=1).fit(digits)
    assert np.array_equal(model.predict(digits[:3]), model.labels_[:3])


@pytest.mark.parametrize("n_rows", [4, 5, 7, 8])
def test_small_batches_never_hold_a_single_row(digits, n_rows):
    model = ddc(n_clusters=1, n_init=1, max_epochs=1, batch_size=3)
    assert (model.fit_predict(digits[:n_rows]) == 0).all()
    with pytest.raises(ValueError, match="'batch_size' parameter"):
        model.set_params(batch_size=2).fit(digits)


def test_memory_of_many_clusters(monkeypatch):
    sizes = []
    squared_distances = F.squared_distances

    def spy(z, centers):
        sizes.append(len(z) * centers.numel())
        return squared_distances(z, centers)

    monkeypatch.setattr(F, "squared_distances", spy)
    X = np.random.RandomState(0).normal(size=(3000, 4)).astype(np.float32)
    ddc(n_clusters=300, max_epochs=0).fit(X)
    assert max(sizes) <= 256 * 300 * 100
