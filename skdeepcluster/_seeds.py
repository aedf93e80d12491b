"""Randomness that is handed out, and never taken from a global generator."""

from typing import Any, NamedTuple

import numpy as np


def spawn_seeds(random_state: Any, count: int) -> list[int]:
    """Seeds for the parts of a fit.

    None takes fresh entropy: numpy's global generator is neither read nor moved.
    """
    if isinstance(random_state, np.random.RandomState):
        rng = random_state
    else:
        rng = np.random.RandomState(random_state)
    return [int(seed) for seed in rng.randint(np.iinfo(np.int32).max, size=count)]


class NetworkSeeds(NamedTuple):
    """Seeds of the training of a network."""

    weights: int
    order: int
    noise: int

    @classmethod
    def of(cls, random_state: Any) -> "NetworkSeeds":
        """Draw them."""
        return cls(*spawn_seeds(random_state, 3))


class FitSeeds(NamedTuple):
    """Seeds of the parts of a clusterer's fit."""

    pretraining: int
    graph: int
    teaching: int
    start: int
    training: int

    @classmethod
    def of(cls, random_state: Any) -> "FitSeeds":
        """Draw them."""
        pretraining, start, training = spawn_seeds(random_state, 3)
        graph, teaching = spawn_seeds(pretraining, 2)
        return cls(pretraining, graph, teaching, start, training)
