"""What an autoencoder is trained for, and the batches that it is shown for that."""

from typing import Any

from torch import Tensor, nn

from skdeepcluster import distributed
from skdeepcluster import functional as F
from skdeepcluster.batches import PairIterator
from skdeepcluster.graph.neighbors import Neighborhoods
from skdeepcluster.networks import AutoencoderModule, Draws
from skdeepcluster.training import Net

# Neighbours that a partner is drawn from, as many as a row of a graph has.
N_NEIGHBORS = 15


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
        entropy = F.attraction(distributed.gathered(y_pred[1]))
        return distributed.mine(entropy).mean() + error

    def get_iterator(self, dataset: Any, training: bool = False) -> Any:
        """Make the batches pairs of a row and a neighbour, in training."""
        if not training:
            return super().get_iterator(dataset, training)
        near = distributed.first(
            lambda: Neighborhoods.of(dataset.X, N_NEIGHBORS, self.seed)
        )
        return PairIterator(dataset, self.batch_size, near.draw, self.seed)


OBJECTIVES: dict[str, type[ReconstructionNet]] = {
    "reconstruction": ReconstructionNet,
    "neighbors": AttractionNet,
}
