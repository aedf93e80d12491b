"""Modules that own the parameters of a clustering: centroids, mixtures, assignments."""

import copy
from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from skdeepcluster import functional as F
from skdeepcluster._modules import Draws
from skdeepcluster.networks import AlignedLinear, AutoencoderModule, dense_stack


@torch.no_grad()
def keep_rows(module: nn.Module, names: Sequence[str], kept: Tensor) -> None:
    """Drop all rows of parameters but those of the given indices."""
    for name in names:
        rows = getattr(module, name)
        setattr(module, name, nn.Parameter(rows[kept.to(rows.device)]))


class CentroidHead(nn.Module):
    """Trainable centroids.

    Parameters
    ----------
    n_clusters : int
        Number of clusters.
    latent_dim : int
        Width of the latent space.
    """

    def __init__(self, n_clusters: int, latent_dim: int) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "n_clusters": n_clusters,
            "latent_dim": latent_dim,
        }
        self.centers = nn.Parameter(
            torch.zeros(n_clusters, latent_dim, dtype=torch.float32)
        )

    @torch.no_grad()
    def start(self, centers: Tensor) -> Self:
        """Set the centroids, and go where they are."""
        self.centers = nn.Parameter(centers.detach().clone())
        return self

    def keep(self, kept: Tensor) -> None:
        """Drop all clusters but those of the given indices."""
        keep_rows(self, ("centers",), kept)
        self.config["n_clusters"] = len(kept)

    def distances(self, z: Tensor) -> Tensor:
        """Squared distances to the centroids, of shape (n_samples, n_clusters)."""
        return F.squared_distances(z, self.centers)

    def scores(self, z: Tensor) -> Tensor:
        """Scores of the clusters: the nearest centroid has the largest."""
        return -self.distances(z)


class ClusterTreeHead(CentroidHead):
    """Centroids that are the leaves of a binary tree.

    Each inner node has two sides, which are sets of leaves; the root comes first, and
    any other after the node above it. A leaf without weight is none: its place is free,
    and one of an inner node, after the others.

    Parameters
    ----------
    n_clusters : int
        Number of leaves.
    latent_dim : int
        Width of the latent space.
    """

    sides: Tensor
    weights: Tensor

    def __init__(self, n_clusters: int, latent_dim: int) -> None:
        super().__init__(n_clusters, latent_dim)
        size = max(n_clusters - 1, 0), 2, n_clusters
        self.register_buffer("sides", torch.zeros(size, dtype=torch.bool))
        weights = torch.zeros(n_clusters, dtype=torch.float32)
        self.register_buffer("weights", weights)

    @property
    def leaves(self) -> Tensor:
        """Indices of the leaves that there are."""
        return self.weights.nonzero()[:, 0]

    def distances(self, z: Tensor) -> Tensor:
        """Squared distances to the leaves, infinite to those that there aren't."""
        return super().distances(z).masked_fill(self.weights == 0, torch.inf)

    @torch.no_grad()
    def join(self, children: Tensor, weights: Tensor) -> Self:
        """Make a tree of the leaves, of pairs that are merged and of their weights."""
        self.weights = weights.to(self.centers)
        self.sides = self.sides.to(self.centers.device)
        nodes = [*torch.eye(len(weights), dtype=torch.bool).unbind()]
        for node, pair in enumerate(children.unbind()):
            self.sides[-1 - node] = torch.stack([nodes[int(child)] for child in pair])
            nodes.append(self.sides[-1 - node].any(0).cpu())
        return self

    @torch.no_grad()
    def resize(self, places: Tensor, n_leaves: int) -> None:
        """Move leaves to the first places of a tree for so many."""
        count, inner = len(places), max(len(places) - 1, 0)
        centers, weights = self.centers[places], self.weights[places]
        sides = self.sides[:inner, :, places]
        self.centers = nn.Parameter(centers.new_zeros(n_leaves, centers.shape[1]))
        self.weights = weights.new_zeros(n_leaves)
        self.sides = sides.new_zeros(max(n_leaves - 1, 0), 2, n_leaves)
        self.centers[:count], self.weights[:count] = centers, weights
        self.sides[:inner, :, :count] = sides
        self.config["n_clusters"] = n_leaves

    @torch.no_grad()
    def keep(self, kept: Tensor) -> None:
        """Drop all leaves but those of the given indices."""
        kept = kept.to(self.centers.device)
        for leaf in self.leaves.unbind():
            if leaf not in kept:
                self.prune(int(leaf))
        self.resize(kept, len(kept))

    def prune(self, leaf: int) -> None:
        """Drop a leaf: what was beside it takes the place of the node above."""
        self.sides[:, :, leaf] = False
        lost = ~self.sides.any(2).all(1)
        self.sides[lost] = False
        self.sides = self.sides[lost.byte().argsort(stable=True)]
        self.weights[leaf] = 0

    @torch.no_grad()
    def split(self, leaf: int, centers: Tensor, shares: Tensor) -> None:
        """Part a leaf into two, of which the second has a free place."""
        other = int((self.weights == 0).nonzero()[0])
        node, pair = len(self.leaves) - 1, [leaf, other]
        self.sides[:, :, other] = self.sides[:, :, leaf]
        self.sides[node, [0, 1], pair] = True
        self.weights[pair] = self.weights[leaf] * shares
        self.centers[pair] = centers

    @torch.no_grad()
    def merges(self) -> tuple[Tensor, Tensor]:
        """Pairs that are merged from the leaves up, and their distances.

        These are Ward's, and at least those of the merges before.
        """
        sides = self.sides.flip(0)
        # Number of each node, by the leaves that are below it.
        numbers = {frozenset([leaf]): leaf for leaf in range(len(self.weights))}
        children = torch.empty((len(sides), 2), dtype=torch.int64)
        for node, pair in enumerate(sides.unbind()):
            one, other = (frozenset(map(int, side.nonzero())) for side in pair)
            children[node] = torch.tensor([numbers[one], numbers[other]])
            numbers[one | other] = len(self.weights) + node
        means = F.side_centers(self.centers, self.weights, sides)
        sizes = (sides * self.weights).sum(2)
        squares = (means[:, 0] - means[:, 1]).square().sum(1)
        distances = (2 * squares * sizes.prod(1) / sizes.sum(1)).sqrt()
        return children, distances.cummax(0).values


class SubspaceHead(CentroidHead):
    """Centroids of several clusterings, and the directions that each of them counts.

    Parameters
    ----------
    n_clusters : int
        Number of clusters of the first clustering.
    latent_dim : int
        Width of the latent space.
    others : sequence of int
        Numbers of clusters of further clusterings.
    """

    start_rotation: Tensor

    def __init__(self, n_clusters: int, latent_dim: int, others: Sequence[int]) -> None:
        super().__init__(n_clusters, latent_dim)
        self.config["others"] = [*others]
        square = torch.zeros(latent_dim, latent_dim, dtype=torch.float32)
        self.register_buffer("start_rotation", square)
        self.turn = nn.Parameter(square.clone())
        rows = sum(others), latent_dim
        self.other_centers = nn.Parameter(torch.zeros(rows, dtype=torch.float32))
        rows = 1 + len(others), latent_dim
        self.logits = nn.Parameter(torch.zeros(rows, dtype=torch.float32))

    @property
    def rotation(self) -> Tensor:
        """Orthogonal matrix, whatever its parameter, whose columns are directions."""
        turn = torch.matrix_exp(self.turn - self.turn.T)
        return self.start_rotation @ turn

    @property
    def space_weights(self) -> Tensor:
        """Weight of each direction in each clustering; those of a direction sum to one.

        It has the shape (n_clusterings, latent_dim).
        """
        return self.logits.softmax(0)

    @torch.no_grad()
    def begin(
        self, other_centers: Tensor, rotation: Tensor, owners: Tensor, share: float
    ) -> Self:
        """Set all but the first centroids; owners have a share of their directions."""
        like, n_spaces = self.centers, len(self.logits)
        rest = (1 - share) / max(n_spaces - 1, 1)
        own = nn.functional.one_hot(owners, n_spaces).T.double() * (share - rest) + rest
        self.logits = nn.Parameter(own.log().to(like))
        self.start_rotation = rotation.to(like)
        self.other_centers = nn.Parameter(other_centers.to(like))
        self.turn = nn.Parameter(torch.zeros_like(self.start_rotation))
        return self

    def all_distances(self, z: Tensor) -> list[Tensor]:
        """Squared distances to the centroids of each clustering, as it weighs them."""
        rotation = self.rotation
        sizes = [len(self.centers), *self.config["others"]]
        centers = torch.cat([self.centers, self.other_centers]) @ rotation
        own = torch.split(centers, sizes)
        rows, weights = z @ rotation, self.space_weights.unbind()
        return [
            F.squared_distances(rows * each, place * each)
            for each, place in zip(weights, own, strict=True)
        ]

    def distances(self, z: Tensor) -> Tensor:
        """Squared distances to the centroids of the first clustering."""
        return self.all_distances(z)[0]


class JointModule(nn.Module):
    """A network and the head of its clusters, trained as one.

    Parameters
    ----------
    autoencoder : AutoencoderModule
    head : nn.Module
    """

    head: Any

    def __init__(self, autoencoder: AutoencoderModule, head: nn.Module) -> None:
        super().__init__()
        self.autoencoder = autoencoder
        self.head = head


class CentroidAutoencoder(JointModule):
    """Autoencoder and centroids, a `CentroidHead`, as one module."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Squared distances to the centroids, and error of reconstruction."""
        target, z, reconstruction = self.autoencoder(x)
        return self.head.distances(z), nn.functional.mse_loss(reconstruction, target)


class LatentAutoencoder(JointModule):
    """Autoencoder that gives latent rows, and a head that is asked about them."""

    def latent(self, x: Tensor) -> Tensor:
        """Latent rows of rows in the units of the data."""
        return self.autoencoder.encode(self.autoencoder.standardize(x)).float()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Latent rows, and error of reconstruction."""
        target, z, reconstruction = self.autoencoder(x)
        return z.float(), nn.functional.mse_loss(reconstruction, target)


class MergingCentroids(LatentAutoencoder):
    """Autoencoder and centroids, a `CentroidHead`, the first of which are in use."""

    n_clusters: Tensor

    def __init__(self, autoencoder: AutoencoderModule, head: CentroidHead) -> None:
        super().__init__(autoencoder, head.requires_grad_(False))
        self.register_buffer("n_clusters", torch.tensor(len(head.centers)))

    def centers(self) -> Tensor:
        """Centroids in use."""
        return self.head.centers[: int(self.n_clusters)]

    def move(self, centers: Tensor) -> None:
        """Take other centroids, as many at most."""
        self.n_clusters.fill_(len(centers))
        self.centers().copy_(centers)


class AxesHead(nn.Module):
    """An axis for each pair of clusters, and the border of the two on it.

    Parameters
    ----------
    n_clusters : int
        Number of clusters.
    latent_dim : int
        Width of the latent space.
    """

    borders: Tensor
    widths: Tensor

    def __init__(self, n_clusters: int, latent_dim: int) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "n_clusters": n_clusters,
            "latent_dim": latent_dim,
        }
        n_pairs = n_clusters * (n_clusters - 1) // 2
        self.axes = nn.Parameter(torch.zeros(n_pairs, latent_dim, dtype=torch.float32))
        self.register_buffer("borders", torch.zeros(n_pairs, dtype=torch.float32))
        # How far from the border a mode begins; negative where the first is higher.
        self.register_buffer("widths", torch.ones(n_pairs, dtype=torch.float32))

    @property
    def pairs(self) -> Tensor:
        """The two clusters of each axis, of shape (2, n_pairs)."""
        n_clusters = self.config["n_clusters"]
        return torch.triu_indices(n_clusters, n_clusters, 1, device=self.axes.device)

    def keep(self, kept: Tensor) -> None:
        """Drop all clusters but those of the given indices."""
        kept = kept.to(self.axes.device)
        (own,) = torch.isin(self.pairs, kept).all(0).nonzero(as_tuple=True)
        keep_rows(self, ("axes",), own)
        self.borders, self.widths = self.borders[own], self.widths[own]
        self.config["n_clusters"] = len(kept)

    def project(self, z: Tensor) -> Tensor:
        """Places of latent rows on the axes, of shape (n_samples, n_pairs)."""
        return z @ self.axes.T

    def scores(self, z: Tensor) -> Tensor:
        """Scores by the sides of borders: log probabilities to beat each other one."""
        one, other = self.pairs
        margins = (self.project(z) - self.borders) / self.widths
        scores = z.new_zeros(len(z), self.config["n_clusters"])
        scores = scores.index_add(1, one, nn.functional.logsigmoid(-margins))
        return scores.index_add(1, other, nn.functional.logsigmoid(margins))


class StudentTHead(CentroidHead):
    """Soft assignment to trainable centroids.

    Parameters
    ----------
    n_clusters : int
        Number of clusters.
    latent_dim : int
        Width of the latent space.
    alpha : float, default=1.0
        Degrees of freedom of the Student t kernel.
    """

    def __init__(self, n_clusters: int, latent_dim: int, alpha: float = 1.0) -> None:
        super().__init__(n_clusters, latent_dim)
        self.config["alpha"] = self.alpha = alpha

    def assign(self, z: Tensor) -> Tensor:
        """Return the assignment, of shape (n_samples, n_clusters)."""
        return F.student_t(z, self.centers, self.alpha)

    def scores(self, z: Tensor) -> Tensor:
        """Scores of which the assignment is the softmax."""
        return F.student_t_logits(z, self.centers, self.alpha)


class AssigningAutoencoder(JointModule):
    """Autoencoder and soft assignment; the decoder runs only where it is paid for.

    Parameters
    ----------
    autoencoder : AutoencoderModule
    head : StudentTHead
    reconstruct : bool
        Whether to decode.
    """

    def __init__(
        self, autoencoder: AutoencoderModule, head: StudentTHead, reconstruct: bool
    ) -> None:
        super().__init__(autoencoder, head)
        self.reconstruct = reconstruct

    def assign(self, x: Tensor) -> Tensor:
        """Soft assignment of rows in the units of the data."""
        z = self.autoencoder.encode(self.autoencoder.standardize(x))
        return self.head.assign(z.float())

    def view(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Soft assignment of standardised rows, and mean squared error or None."""
        z = self.autoencoder.encode(x).float()
        if not self.reconstruct:
            return self.head.assign(z), None
        reconstruction = self.autoencoder.decode(z).float()
        return self.head.assign(z), nn.functional.mse_loss(reconstruction, x)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Give the view of rows in the units of the data."""
        return self.view(self.autoencoder.standardize(x))


class DDCModule(JointModule):
    """Encoder and softmax, a `SoftmaxHead`, as one module."""

    def view(self, x: Tensor) -> tuple[Tensor, None]:
        """Give the assignment of standardised rows; nothing is reconstructed."""
        return self.head(self.autoencoder.hidden(x))[1], None

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Hidden rows and assignments of rows in the units of the data."""
        return self.head(self.autoencoder.hidden(self.autoencoder.standardize(x)))


class UnitHead(nn.Module):
    """Hidden layers whose rows have length one, and a softmax over the clusters.

    Parameters
    ----------
    n_inputs : int
        Width of the rows given.
    hidden_units : sequence of int
        Widths of the hidden layers; without one, the rows themselves have length one.
    n_clusters : int
        Number of clusters.
    temperature : float, default=0.1
        What scores are divided by.
    """

    def __init__(
        self,
        n_inputs: int,
        hidden_units: Sequence[int],
        n_clusters: int,
        temperature: float = 0.1,
    ) -> None:
        super().__init__()
        widths = [n_inputs, *(int(width) for width in hidden_units)]
        self.config: dict[str, Any] = {
            "n_inputs": n_inputs,
            "hidden_units": widths[1:],
            "n_clusters": n_clusters,
            "temperature": temperature,
        }
        self.layers = dense_stack(widths)
        self.output = AlignedLinear(
            widths[-1], n_clusters, bias=False, dtype=torch.float32
        )

    def keep(self, kept: Tensor) -> None:
        """Drop all clusters but those of the given indices."""
        keep_rows(self.output, ("weight",), kept)
        self.config["n_clusters"] = self.output.out_features = len(kept)

    def hidden(self, x: Tensor) -> Tensor:
        """Rows of the last hidden layer, of length one."""
        return nn.functional.normalize(self.layers(x).float(), dim=1)

    def assign(self, h: Tensor) -> Tensor:
        """Soft assignment of hidden rows, of shape (n_samples, n_clusters)."""
        return self.scores(h).softmax(1)

    def scores(self, h: Tensor) -> Tensor:
        """Scores of which the assignment is the softmax."""
        return self.output(h).float() / self.config["temperature"]

    def forward(self, x: Tensor) -> Tensor:
        """Return the logarithms of the assignment."""
        return self.scores(self.hidden(x)).log_softmax(1)


class ParallelHeads(JointModule):
    """Rows and several heads on them, in a list, that are trained side by side.

    Parameters
    ----------
    autoencoder : AutoencoderModule
        Only its scale is used.
    head : nn.ModuleList of UnitHead
    """

    losses: Tensor

    def __init__(self, autoencoder: AutoencoderModule, head: nn.ModuleList) -> None:
        super().__init__(autoencoder, head)
        # Sum over the batches of an epoch, by which the best head is chosen.
        self.register_buffer("losses", torch.zeros(len(head), dtype=torch.float32))

    def view(self, x: Tensor) -> tuple[Tensor, None]:
        """Give the geometric mean of the assignments of standardised rows.

        Its cross entropy with a target is the mean of the heads'.
        """
        return self.assignments(self.head, x).mean(0).exp(), None

    def assignments(self, heads: nn.ModuleList, x: Tensor) -> Tensor:
        """Logarithms of all assignments of standardised rows."""
        return torch.stack([head(x) for head in heads])

    def forward(self, x: Tensor) -> Tensor:
        """Logarithms of all assignments of rows in the units of the data."""
        return self.assignments(self.head, self.autoencoder.standardize(x))

    @property
    def best(self) -> int:
        """Index of the head of the lowest loss."""
        return int(self.losses.argmin())


class TaughtHeads(ParallelHeads):
    """Heads, each with a teacher that is the moving average of it.

    Parameters
    ----------
    autoencoder : AutoencoderModule
        Only its scale is used.
    head : nn.ModuleList of UnitHead
    """

    marginal: Tensor

    def __init__(self, autoencoder: AutoencoderModule, head: nn.ModuleList) -> None:
        super().__init__(autoencoder, head)
        self.teachers = copy.deepcopy(head).requires_grad_(False)
        first: Any = head[0]
        n_clusters = first.config["n_clusters"]
        shares = torch.full((len(head), n_clusters), 1 / n_clusters)
        self.register_buffer("marginal", shares.float())

    @torch.no_grad()
    def follow(self, momentum: float) -> None:
        """Move the teachers towards their students."""
        for teacher, student in zip(
            self.teachers.parameters(), self.head.parameters(), strict=True
        ):
            teacher.lerp_(student, 1 - momentum)

    def forward(self, x: Tensor) -> Tensor:
        """Logarithms of the assignments, those by the students before the others."""
        x = self.autoencoder.standardize(x)
        with torch.no_grad():
            teachers = self.assignments(self.teachers, x)
        return torch.stack([self.assignments(self.head, x), teachers])


# Most mixtures hold little of the second row: where columns are few, half of each row
# often makes a row of a third cluster.
MIXING_POWER = 4


class Mixing(nn.Module):
    """What a module makes of mixtures of two rows.

    Parameters
    ----------
    module : AssigningAutoencoder, DDCModule or ParallelHeads
    seed : int
        Seed of the mixtures.
    """

    def __init__(
        self, module: AssigningAutoencoder | DDCModule | ParallelHeads, seed: int
    ) -> None:
        super().__init__()
        self.module = module
        self.draws = Draws(seed)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None, Tensor, Tensor]:
        """Give assignments, error or None, second rows and their shares."""
        x = self.module.autoencoder.standardize(x)
        other = self.draws.order(len(x), x.device)
        share = self.draws.uniform([len(x)], x.device) ** MIXING_POWER / 2
        q, error = self.module.view(torch.lerp(x, x[other], share[:, None]))
        return q, error, other, share


class SoftmaxHead(nn.Module):
    """Hidden layer with batch normalisation, and a softmax over the clusters.

    Parameters
    ----------
    n_inputs : int
        Width of the rows given.
    n_hidden : int
        Width of the hidden layer.
    n_clusters : int
        Number of clusters.
    """

    def __init__(self, n_inputs: int, n_hidden: int, n_clusters: int) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "n_inputs": n_inputs,
            "n_hidden": n_hidden,
            "n_clusters": n_clusters,
        }
        self.hidden = nn.Sequential(
            AlignedLinear(n_inputs, n_hidden, dtype=torch.float32),
            nn.ReLU(),
            nn.BatchNorm1d(n_hidden, dtype=torch.float32),
        )
        self.output = AlignedLinear(n_hidden, n_clusters, dtype=torch.float32)

    def keep(self, kept: Tensor) -> None:
        """Drop all clusters but those of the given indices."""
        keep_rows(self.output, ("weight", "bias"), kept)
        self.config["n_clusters"] = self.output.out_features = len(kept)

    def assign(self, h: Tensor) -> Tensor:
        """Soft assignment of hidden rows, of shape (n_samples, n_clusters)."""
        return self.scores(h).softmax(1)

    def scores(self, h: Tensor) -> Tensor:
        """Scores of which the assignment is the softmax."""
        return self.output(h).float()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the hidden rows and their assignment."""
        h = self.hidden(x).float()
        return h, self.assign(h)


class MixtureHead(nn.Module):
    """Latent variance of each row, and a mixture of diagonal Gaussians.

    Parameters
    ----------
    n_inputs : int
        Width of the rows that the variance is read from.
    latent_dim : int
        Width of the latent space.
    n_clusters : int
        Number of components.
    """

    noise: Tensor

    def __init__(self, n_inputs: int, latent_dim: int, n_clusters: int) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "n_inputs": n_inputs,
            "latent_dim": latent_dim,
            "n_clusters": n_clusters,
        }
        self.log_variance = AlignedLinear(n_inputs, latent_dim, dtype=torch.float32)
        size = n_clusters, latent_dim
        self.logits = nn.Parameter(torch.zeros(n_clusters, dtype=torch.float32))
        self.means = nn.Parameter(torch.zeros(size, dtype=torch.float32))
        self.log_variances = nn.Parameter(torch.zeros(size, dtype=torch.float32))
        # Variance of standardised rows around their reconstruction.
        self.register_buffer("noise", torch.ones((), dtype=torch.float64))

    @property
    def centers(self) -> Tensor:
        """Means of the components."""
        return self.means

    def mixture(self) -> tuple[Tensor, Tensor, Tensor]:
        """Logarithms of the weights, means, logarithms of the variances."""
        return self.logits.log_softmax(0), self.means, self.log_variances

    def keep(self, kept: Tensor) -> None:
        """Drop all components but those of the given indices."""
        keep_rows(self, ("logits", "means", "log_variances"), kept)
        self.config["n_clusters"] = len(kept)

    def assign(self, z: Tensor) -> Tensor:
        """Probability of each component for latent rows."""
        return self.scores(z).softmax(1)

    def scores(self, z: Tensor) -> Tensor:
        """Scores of which the assignment is the softmax."""
        return F.mixture_log_joint(z, *self.mixture())

    def divergence(self, mean: Tensor, log_variance: Tensor, z: Tensor) -> Tensor:
        """Divergence of each row's posterior, assigned by ``z``, from the mixture."""
        return F.mixture_divergence(mean, log_variance, self.assign(z), *self.mixture())
