"""Each formula against an oracle that is written as loops."""

import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from skdeepcluster import functional as F
from skdeepcluster.heads import StudentTHead


def tensor(array):
    return torch.tensor(np.asarray(array, dtype=np.float64))


@pytest.fixture
def rows():
    rng = np.random.RandomState(0)
    return rng.normal(size=(7, 3)), rng.normal(size=(4, 3))


def distance(a, b):
    return sum((x - y) ** 2 for x, y in zip(a, b, strict=True))


def student_t(z, centers, alpha):
    q = np.empty((len(z), len(centers)))
    for i, row in enumerate(z):
        kernel = [
            (1 + distance(row, center) / alpha) ** (-(alpha + 1) / 2)
            for center in centers
        ]
        for j, value in enumerate(kernel):
            q[i, j] = value / sum(kernel)
    return q


def target(q):
    n_samples, n_clusters = q.shape
    frequency = [sum(q[i, j] for i in range(n_samples)) for j in range(n_clusters)]
    p = np.empty_like(q)
    for i in range(n_samples):
        weight = [q[i, j] ** 2 / frequency[j] for j in range(n_clusters)]
        for j in range(n_clusters):
            p[i, j] = weight[j] / sum(weight)
    return p


def divergence(p, q):
    total = 0.0
    for i in range(len(p)):
        for j in range(p.shape[1]):
            if p[i, j] > 0:
                total += p[i, j] * math.log(p[i, j] / q[i, j])
    return total / len(p)


@pytest.mark.parametrize("n_clusters", [1, 2, 4])
def test_related_distance(rows, n_clusters):
    z, centers = rows[0], rows[1][:n_clusters]
    relations = np.random.RandomState(1).dirichlet(np.ones(n_clusters), n_clusters)
    pull = 0.0
    for row in z:
        squares = [distance(row, center) for center in centers]
        own = relations[int(np.argmin(squares))]
        pull += sum(w * square for w, square in zip(own, squares, strict=True)) / len(z)
    if n_clusters > 1:
        apart = [
            math.sqrt(distance(centers[j], centers[k]))
            for j in range(n_clusters)
            for k in range(j)
        ]
        pull *= (1 + np.std(apart)) / np.mean(apart)
    found = F.related_distance(*map(tensor, (z, centers, relations)))
    assert found.item() == pytest.approx(pull)


def test_attraction():
    z = np.random.RandomState(0).normal(size=(6, 3))
    z[4] = z[0]
    actual = F.attraction(tensor(z)).tolist()
    for i, j in [(0, 1), (1, 0), (2, 3), (3, 2), (4, 5), (5, 4)]:
        near = {k: 1 / (1 + distance(z[i], z[k])) for k in range(6) if k != i}
        assert actual[i] == pytest.approx(-math.log(near[j] / sum(near.values())))


def test_attraction_of_rows_that_coincide_has_a_gradient():
    z = torch.zeros(40, 2, requires_grad=True)
    F.attraction(z).mean().backward()
    assert torch.isfinite(z.grad).all()


def test_squared_distances(rows):
    z, centers = rows
    expected = [[distance(row, center) for center in centers] for row in z]
    assert_allclose(F.squared_distances(*map(tensor, rows)), expected)


def test_squared_distances_keep_small_differences_far_from_zero():
    z = torch.tensor([[1e4, 1e4]])
    centers = torch.tensor([[1e4 + 0.25, 1e4], [1e4, 1e4]])
    assert_array_equal(F.squared_distances(z, centers), [[0.0625, 0.0]])


@pytest.mark.parametrize("alpha", [0.5, 1.0, 3.0])
def test_student_t(rows, alpha):
    q = F.student_t(*map(tensor, rows), alpha)
    assert_allclose(q, student_t(*rows, alpha))
    head = StudentTHead(*rows[1].shape, alpha).start(tensor(rows[1]))
    assert_allclose(head.assign(tensor(rows[0])).detach(), q)


def test_target_distribution(rows):
    q = student_t(*rows, 1.0)
    assert_allclose(F.target_distribution(tensor(q)), target(q))


def test_target_sharpens(rows):
    q = student_t(*rows, 1.0)
    p = F.target_distribution(tensor(q)).numpy()
    assert (-(p * np.log(p)).sum(1)).mean() < (-(q * np.log(q)).sum(1)).mean()


def test_kl_divergence(rows):
    q = student_t(*rows, 1.0)
    p = target(q)
    p[0] = [1, 0, 0, 0]
    actual = F.kl_divergence(tensor(p), tensor(q)).item()
    assert actual == pytest.approx(divergence(p, q))
    assert F.kl_divergence(tensor(q), tensor(q)).item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("size", [0.0, 1e-30, 1e10, 1e20, 1e38])
def test_extremes_stay_finite_with_their_gradients(size):
    z = torch.tensor([[size, 0.0], [-size, 1.0]], requires_grad=True)
    head = StudentTHead(2, 2).start(torch.tensor([[0.0, 0.0], [1.0, size]]))
    q = head.assign(z)
    p = F.target_distribution(q.detach())
    loss = F.kl_divergence(p, q)
    loss.backward()
    assert_allclose(q.detach().sum(1), 1, rtol=1e-6)
    assert_allclose(p.sum(1), 1, rtol=1e-6)
    assert math.isfinite(loss.item())
    assert torch.isfinite(z.grad).all()
    assert torch.isfinite(head.centers.grad).all()


def test_a_cluster_that_nobody_wants_gets_no_target():
    q = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    assert_array_equal(F.target_distribution(q), q)
    assert F.kl_divergence(q, q).item() == 0


def assignments(seed, *shape):
    return np.random.RandomState(seed).dirichlet(np.full(shape[-1], 0.5), shape[:-1])


def test_scan_loss():
    p, q = assignments(0, 2, 5, 3), assignments(1, 2, 5, 3)
    actual = F.scan_loss(tensor(np.log(p)), tensor(np.log(q)), 5.0)
    for head in range(2):
        agree = sum(math.log(p[head, i] @ q[head, i]) for i in range(5)) / 5
        mean = [sum(p[head, i, c] for i in range(5)) / 5 for c in range(3)]
        entropy = -sum(m * math.log(m) for m in mean)
        assert actual[head].item() == pytest.approx(-agree - 5 * entropy)


def test_scan_loss_of_an_empty_cluster_has_a_gradient():
    scores = tensor([[0.0, 3.0, -2000.0]] * 4).requires_grad_()
    log_p = scores.log_softmax(1)
    F.scan_loss(log_p, log_p, 5.0).backward()
    assert torch.isfinite(scores.grad).all()


def test_temi_loss():
    beta, shape = 0.6, (2, 5, 3)
    p, q, p_teacher, q_teacher = (assignments(seed, *shape) for seed in range(4))
    marginal = assignments(4, 2, 3)
    actual = F.temi_loss(
        (tensor(np.log(p)), tensor(np.log(q))),
        (tensor(np.log(p_teacher)), tensor(np.log(q_teacher))),
        tensor(marginal),
        beta,
    )

    def information(head, a, b):
        terms = [(a[c] * b[c]) ** beta / marginal[head, c] for c in range(3)]
        return math.log(sum(terms))

    for head in range(2):
        total = 0.0
        for i in range(5):
            weight = sum(p_teacher[h, i] @ q_teacher[h, i] for h in range(2)) / 2
            one = information(head, p[head, i], q_teacher[head, i])
            other = information(head, q[head, i], p_teacher[head, i])
            total -= weight * (one + other) / 2
        assert actual[head].item() == pytest.approx(total / 5)


def test_temi_loss_of_an_empty_cluster_has_a_gradient():
    scores = torch.zeros(2, 4, 3)
    scores[..., 2] = -2000
    log_p = scores.requires_grad_().log_softmax(2)
    pair = log_p, log_p
    marginal = torch.tensor([[0.5, 0.5, 0.0]] * 2)
    F.temi_loss(pair, tuple(it.detach() for it in pair), marginal, 0.6).sum().backward()
    assert torch.isfinite(scores.grad).all()


@pytest.fixture
def tree():
    """Five leaves; the root parts (0, 1, 2) from (3, 4)."""
    rng = np.random.RandomState(1)
    pairs = [([0, 1, 2], [3, 4]), ([0, 1], [2]), ([3], [4]), ([0], [1])]
    sides = np.zeros((4, 2, 5), dtype=bool)
    for node, pair in enumerate(pairs):
        for side, leaves in enumerate(pair):
            sides[node, side, leaves] = True
    return pairs, torch.tensor(sides), rng.normal(size=(5, 3)), rng.uniform(size=5)


def mean_of(leaves, centers, weights):
    total = sum(weights[leaf] for leaf in leaves)
    return sum(weights[leaf] * centers[leaf] for leaf in leaves) / total


def test_side_centers(tree):
    pairs, sides, centers, weights = tree
    means = F.side_centers(tensor(centers), tensor(weights), sides)
    for node, pair in enumerate(pairs):
        for side, leaves in enumerate(pair):
            assert_allclose(means[node, side], mean_of(leaves, centers, weights))
    free = torch.zeros(1, 2, 5, dtype=torch.bool)
    assert not F.side_centers(tensor(centers), tensor(weights), free).any()


def test_side_distance(tree):
    pairs, sides, centers, weights = tree
    z = np.random.RandomState(2).normal(size=(9, 3))
    labels = [0, 0, 2, 3, 3, 3, 1, 2, 0]  # none in the last leaf
    losses = []
    for pair in pairs:
        one, other = (mean_of(leaves, centers, weights) for leaves in pair)
        line = (one - other) / math.sqrt(distance(one, other))
        for mean, leaves in zip((one, other), pair, strict=True):
            rows = [row for row, leaf in zip(z, labels, strict=True) if leaf in leaves]
            if rows:
                lengths = [abs(sum(line * (mean - row))) for row in rows]
                losses.append(sum(lengths) / len(lengths))
    means = F.side_centers(tensor(centers), tensor(weights), sides)
    actual = F.side_distance(tensor(z), torch.tensor(labels), means, sides)
    assert actual.item() == pytest.approx(sum(losses) / len(losses))
    none = F.side_distance(tensor(z), torch.tensor(labels), means[:0], sides[:0])
    assert none.item() == 0


def test_mean_center_distance(rows):
    z, centers = rows
    labels = [0, 0, 2, 2, 2, 0, 3]
    losses = []
    for label in (0, 2, 3):
        own = [row for row, at in zip(z, labels, strict=True) if at == label]
        losses.append(distance(sum(own) / len(own), centers[label]))
    z, centers = (tensor(each).requires_grad_() for each in rows)
    actual = F.mean_center_distance(z, torch.tensor(labels), centers)
    assert actual.item() == pytest.approx(sum(losses) / 3)
    actual.backward()
    assert z.grad is None
    assert centers.grad[[0, 2, 3]].all()
    assert not centers.grad[1].any()
