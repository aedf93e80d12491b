"""Heads on ready embeddings, trained on pairs of neighbours: what they share.

There is no network but the heads. Neighbours are found once, before training; each row
is shown beside one of them, drawn anew each time.
"""

from collections.abc import Callable
from dataclasses import replace
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from torch import Tensor, nn

from skdeepcluster._seeds import FitSeeds, spawn_seeds
from skdeepcluster._sklearn import Interval, StrOptions
from skdeepcluster.batches import PairIterator, over_rows
from skdeepcluster.estimators._autoencoder import check_widths
from skdeepcluster.estimators._base import BaseDeepEstimator, Learned, finite
from skdeepcluster.estimators._clusterer import BaseSoftClusterer
from skdeepcluster.estimators._initial import INITIAL_CONSTRAINTS, NAMED
from skdeepcluster.estimators._joint import BaseJointClusterer
from skdeepcluster.estimators._objectives import Neighborhoods
from skdeepcluster.graph.neighbors import usable_neighbors
from skdeepcluster.heads import ParallelHeads, UnitHead
from skdeepcluster.networks import build
from skdeepcluster.training import Net

# An ``init`` without clusters.
RANDOM = "random"


class NeighborNet(Net):
    """Training on pairs of rows, by a loss of each head.

    Attributes
    ----------
    near : Neighborhoods
        Where partners are drawn from.
    """

    own = ("near",)
    near: Neighborhoods

    def get_iterator(self, dataset: Any, training: bool = False) -> Any:
        """Make the batches pairs of a row and a neighbour."""
        return PairIterator(dataset, 2 * self.batch_size, self.near.draw, self.seed)

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Forget the losses of the heads in the last epoch."""
        super().on_epoch_begin(net, **kwargs)
        self.module_.losses.zero_()

    def get_loss(
        self, y_pred: Any, y_true: Any, X: Any = None, training: bool = False
    ) -> Tensor:
        """Mean of the heads' losses."""
        if not training:
            # Rows in their own order are no pairs.
            return self.pair_losses(y_pred, y_pred).mean()
        losses = self.pair_losses(y_pred[..., ::2, :], y_pred[..., 1::2, :])
        self.module_.losses += losses.detach() * (len(y_true) // 2)
        return losses.mean()

    def pair_losses(self, first: Tensor, second: Tensor) -> Tensor:
        """Loss of each head, of what the module makes of rows and their partners."""
        raise NotImplementedError


class BaseNeighborHeads(BaseSoftClusterer, BaseJointClusterer):
    """A clusterer of embeddings by heads: it implements `_train_heads`."""

    _parts: ClassVar[dict[str, Callable[[], Any]]] = BaseDeepEstimator._parts
    _parameter_constraints: dict = {
        **BaseJointClusterer._parameter_constraints,
        "init": [StrOptions({*NAMED, RANDOM}), *INITIAL_CONSTRAINTS["init"][1:]],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "n_heads": [Interval(Integral, 1, None, closed="left")],
        "hidden_units": ["array-like"],
    }
    del _parameter_constraints["encoder"]

    n_clusters: int | None
    init: Any
    n_neighbors: int
    n_heads: int
    hidden_units: Any
    temperature: float = 0.1

    @property
    def _is_random(self) -> bool:
        return isinstance(self.init, str) and self.init == RANDOM

    def _check_fit(self, X: Any, encoder: Any) -> None:
        check_widths(self.hidden_units)
        if not len(self.hidden_units):
            raise ValueError("hidden_units=() leaves no hidden layer: give a width.")
        if self._is_random and self.n_clusters is None:
            raise ValueError(
                "n_clusters=None is found by a graph or a clusterer only: use "
                "init='graph', or give n_clusters."
            )
        for name, value in (self._trainer.net_params or {}).items():
            takes_rows = name.partition("__")[0] in ("iterator_train", "train_split")
            if takes_rows and value is not None:
                raise ValueError(
                    f"net_params has {name!r}, but {type(self).__name__} trains on "
                    "pairs of all the rows; leave it out."
                )
        super()._check_fit(X, encoder)

    def _initial(self) -> Any:
        return None if self._is_random else super()._initial()

    def _cluster(
        self, X: Any, learned: Learned, clusters: Any, seeds: FitSeeds
    ) -> Learned:
        n_clusters = self.n_clusters if clusters is None else len(clusters.centers)
        heads = self._new_heads(X.shape[1], int(n_clusters or 1), seeds.start)
        heads.to(learned.module.shift.device)
        if clusters is not None and learned.interrupted is None:
            trained = self._train_towards(
                X,
                ParallelHeads(learned.module, heads),
                clusters.labels,
                seeds.teaching,
                learned.journal.page("teaching"),
            )
            learned = learned.after("teaching", "teaching", trained)
        learned = learned.adding(head_=heads[0], n_iter_=0)
        learned = replace(learned, history={**learned.history, "clustering": []})
        if learned.interrupted is None:
            learned, head = self._train_heads(X, learned, heads, seeds.training)
            learned = learned.adding(head_=head)
        return learned

    def _train_heads(
        self, X: Any, learned: Learned, heads: nn.ModuleList, seed: int
    ) -> tuple[Learned, nn.Module]:
        """Train heads side by side, and return the best."""
        raise NotImplementedError

    def _train_on_pairs(
        self,
        net_class: type[NeighborNet],
        module: ParallelHeads,
        X: Any,
        learned: Learned,
        seed: int,
        **settings: Any,
    ) -> Learned:
        """Train a module of heads on rows and their neighbours."""
        near = usable_neighbors(self.n_neighbors, X.shape[0], self.n_clusters)
        return self._train_jointly(
            net_class,
            module,
            X,
            learned,
            seed,
            near=Neighborhoods.of(X, near, seed),
            **settings,
        )

    def _new_heads(self, n_inputs: int, n_clusters: int, seed: int) -> nn.ModuleList:
        return nn.ModuleList(
            build(
                UnitHead,
                each,
                n_inputs=n_inputs,
                hidden_units=self.hidden_units,
                n_clusters=n_clusters,
                temperature=float(self.temperature),
            )
            for each in spawn_seeds(seed, self.n_heads)
        )

    def _encode(self, X: Any) -> np.ndarray:
        network, head = self.module_, self.head_

        def hidden(x: Tensor) -> Tensor:
            return head.hidden(network.standardize(x))

        return finite(over_rows(hidden, X, network.shift.device).cpu().numpy())

    def _scores(self, x: Tensor) -> Tensor:
        return self.head_.scores(self.head_.hidden(self.module_.standardize(x)))

    def _assignments(self, Z: np.ndarray) -> np.ndarray:
        device = self.module_.shift.device
        return over_rows(self.head_.assign, Z, device).cpu().numpy()

    @property
    def _n_features_out(self) -> int:
        return self.head_.config["hidden_units"][-1]
