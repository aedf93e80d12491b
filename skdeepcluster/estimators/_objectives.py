"""What an autoencoder is trained for, and the batches that it is shown for that."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from torch import Tensor, nn

from skdeepcluster import functional as F
from skdeepcluster._modules import Draws
from skdeepcluster.batches import PairIterator
from skdeepcluster.graph.neighbors import neighbor_graph, usable_neighbors
from skdeepcluster.graph.rows import Nodes, RowSpace
from skdeepcluster.networks import AutoencoderModule
from skdeepcluster.training import Net

# Neighbours that a partner is drawn from, as many as a row of a graph has.
N_NEIGHBORS = 15


@dataclass(frozen=True, eq=False)
class Neighborhoods:
    """Neighbours of rows, to draw from.

    Parameters
    ----------
    nodes : Nodes
        The distinct rows.
    graph : csr_array of shape (n_nodes, n_nodes) or None
        Of their neighbours; None of a single one.
    """

    nodes: Nodes
    graph: sp.csr_array | None

    @classmethod
    def of(cls, X: Any, n_neighbors: int, seed: int) -> "Neighborhoods":
        """Find the neighbours of rows, where a graph of them would."""
        nodes = Nodes.of(X)
        n_nodes = len(nodes.first)
        if n_nodes == 1:
            return cls(nodes, None)
        Z = RowSpace(X, nodes.first, seed).rows
        few = usable_neighbors(n_neighbors, n_nodes)
        return cls(nodes, neighbor_graph(Z, few, None, seed))

    def draw(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw one neighbour of each of some rows; of a single distinct one, itself."""
        if self.graph is None:
            return rows
        node = self.nodes.inverse[rows]
        edges = rng.integers(self.graph.indptr[node], self.graph.indptr[node + 1])
        return self.nodes.first[self.graph.indices[edges]]


class Reconstruction(nn.Module):
    """An autoencoder's view of rows, some of whose entries are hidden in training.

    Parameters
    ----------
    autoencoder : AutoencoderModule
    noise : float
        Share of input entries replaced by their column's mean.
    seed : int
        Seed of the noise.
    """

    def __init__(self, autoencoder: AutoencoderModule, noise: float, seed: int) -> None:
        super().__init__()
        self.autoencoder = autoencoder
        self.noise = noise
        self.draws = Draws(seed)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Clean standardised rows, and latent rows and reconstruction of noisy ones."""
        module = self.autoencoder
        target = rows = module.standardize(x)
        if self.noise and self.training:
            rows = target * (self.draws.uniform(x.shape, x.device) >= self.noise)
        z = module.encode(rows)
        return target, z.float(), module.decode(z).float()


class ReconstructionNet(Net):
    """Training by mean squared error of the standardised rows."""

    phase = "pretraining"

    def get_loss(
        self, y_pred: Any, y_true: Any, X: Any = None, training: bool = False
    ) -> Tensor:
        """Mean squared error."""
        target, _, reconstruction = y_pred
        return nn.functional.mse_loss(reconstruction, target)


class AttractionNet(ReconstructionNet):
    """Training on pairs of neighbours, which attract each other and repel all others.

    The error of reconstruction is added, so that there is a decoder to use.
    """

    def get_loss(
        self, y_pred: Any, y_true: Any, X: Any = None, training: bool = False
    ) -> Tensor:
        """Cross entropy of finding the partner in the batch, and reconstruction."""
        error = super().get_loss(y_pred, y_true)
        if not training:
            # Rows in their own order are no pairs.
            return error
        return F.attraction(y_pred[1]).mean() + error

    def get_iterator(self, dataset: Any, training: bool = False) -> Any:
        """Make the batches pairs of a row and a neighbour, in training."""
        if not training:
            return super().get_iterator(dataset, training)
        near = Neighborhoods.of(dataset.X, N_NEIGHBORS, self.seed)
        return PairIterator(dataset, self.batch_size, near.draw, self.seed)


OBJECTIVES: dict[str, type[ReconstructionNet]] = {
    "reconstruction": ReconstructionNet,
    "neighbors": AttractionNet,
}
