"""What is left to the autoencoder: its widths and its schedule, by rows and columns."""

import math
from typing import Any

# Fewer rows than these are few, for what is left to the estimator. A narrow last layer
# learns as much of them in less than half the time; with narrower layers, the graph of
# latent rows is worse more often. By both, DEC loses .01 on 10,000 rows of MNIST and
# .04 on as many of Fashion-MNIST.
FEW_ROWS = 5_000
NARROW, WIDE = (500, 500, 500), (500, 500, 2000)

# Few rows need more steps, not more passes, and larger ones, of batches that are not
# too small to be quick.
STEPS_OF_EPOCH = 28
LEAST_BATCH, MOST_BATCH = 32, 256
LR_OF_FEW, LR = 2e-3, 1e-3
EPOCHS_OF_FEW, MOST_EPOCHS = 30, 50

# Up to so many columns are learnt in half the passes: more gain nothing for clusters in
# the latent space. Narrower layers would be as quick, but can't be taught as well.
FEW_COLUMNS = 30

# A network that has made so many steps learns little more that neighbours in its latent
# space would show.
ENOUGH_STEPS = 4000

# One that is taught the clusters of a graph needs little before: the graph is of the
# rows, and of few of them the latent rows only part what the rows leave undecided
# (without them, .06 less on texture and .08 on mfeat-fac). Of more rows they count:
# after 480 steps, 10,000 rows of MNIST have .86 in place of .94, and with the narrow
# layers .87. Reconstruction is learned on while the network is taught.
SLIM = (250, 250, 250)
BRIEF_STEPS_OF_FEW, BRIEF_STEPS = 120, 800
BATCH_OF_FEW = 64


def hidden_widths(n_rows: int) -> tuple[int, ...]:
    """Widths of the hidden layers for so many rows."""
    return NARROW if n_rows < FEW_ROWS else WIDE


def passes(n_rows: int, batch_size: int, steps: int) -> int:
    """Count the passes over the rows that make so many steps, or a few more."""
    return math.ceil(steps / math.ceil(n_rows / batch_size))


def pace(n_rows: int) -> tuple[int, float]:
    """Rows of a step and learning rate, while a network is taught and before that."""
    return (BATCH_OF_FEW, LR_OF_FEW) if n_rows < FEW_ROWS else (MOST_BATCH, LR)


def brief(n_rows: int) -> dict[str, Any]:
    """Parameters of an autoencoder of so many rows that is taught clusters later."""
    few = n_rows < FEW_ROWS
    batch_size, lr = pace(n_rows)
    steps = BRIEF_STEPS_OF_FEW if few else BRIEF_STEPS
    return {
        "hidden_units": SLIM if few else WIDE,
        "max_epochs": passes(n_rows, batch_size, steps),
        "batch_size": batch_size,
        "lr": lr,
    }


def schedule(
    n_rows: int,
    n_columns: int,
    batch_size: int | None,
    epochs: int | None,
    lr: float | None,
) -> tuple[int, int, float]:
    """Rows of a step, passes and learning rate, where they are not given."""
    few = n_rows < FEW_ROWS
    if batch_size is None:
        share = math.ceil(n_rows / STEPS_OF_EPOCH)
        batch_size = max(share, LEAST_BATCH) if few else MOST_BATCH
    if epochs is None:
        enough = passes(n_rows, batch_size, ENOUGH_STEPS)
        epochs = min(EPOCHS_OF_FEW if few else MOST_EPOCHS, enough)
        if n_columns <= FEW_COLUMNS:
            epochs = math.ceil(epochs / 2)
    if lr is None:
        lr = LR_OF_FEW if few else LR
    return batch_size, epochs, lr
