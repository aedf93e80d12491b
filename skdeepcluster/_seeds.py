"""Randomness that is handed out, and never taken from a global generator."""

from typing import Any

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
