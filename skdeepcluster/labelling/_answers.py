"""Answers about rows, and how far they are told by the graph or by a classifier."""

from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np
from sklearn.model_selection import KFold
from sklearn.utils import assert_all_finite
from sklearn.utils.multiclass import check_classification_targets

from skdeepcluster._labels import is_missing, label_vector

# Answers are left out in so many parts, if there are twice as many.
FOLDS = 5

# Weights of the graph that are tried, and what is taken off probabilities, for none is
# certain.
WEIGHTS, DOUBT = np.linspace(0, 1, 11), 0.02


def known_answers(y: Any) -> tuple[np.ndarray, np.ndarray]:
    """Answers as a vector, and which rows have one: not -1, None or NaN."""
    y = label_vector(y, "y", warn=True)
    if y.dtype.kind in "US":
        if "-1" in y.astype(str):
            raise ValueError(
                "y is an array of strings and holds '-1': give y of dtype object, with "
                "the number -1 or None where the class is unknown."
            )
        return y, np.ones(len(y), dtype=bool)
    known = ~is_missing(y)
    if y.dtype.kind == "O":
        known &= np.array([not isinstance(it, Real) or it != -1 for it in y], bool)
    elif y.dtype.kind in "if":
        known &= y != -1
    return y, known


def answers_as_codes(y: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Classes among the answers, and the place of each answer among them."""
    answers = y[known]
    if answers.dtype.kind == "O":
        kinds = {isinstance(it, str) for it in answers}
        if len(kinds) > 1:
            raise ValueError(
                "y mixes strings and numbers: give all classes one type, and -1 or "
                "None where the class is unknown."
            )
        if kinds == {False}:
            answers = np.array(answers.tolist())
    if answers.dtype.kind == "f":
        assert_all_finite(answers, input_name="y")
    if len(answers):
        check_classification_targets(answers)
    return np.unique(answers, return_inverse=True)


def shares_by(learner: Any, X: Any, n_classes: int) -> np.ndarray:
    """Probabilities by a classifier that may not have seen all the classes."""
    shares = np.zeros((X.shape[0], n_classes))
    shares[:, learner.classes_] = learner.predict_proba(X)
    return shares


def weight_of_graph(
    told: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]],
    codes: np.ndarray,
    representing: np.ndarray,
    seed: int,
) -> tuple[float, np.ndarray | None]:
    """Weight of the graph's probabilities against a classifier's.

    Parameters
    ----------
    told : callable
        Gives, from some answers, the probabilities of the classes for others: by the
        graph and by the classifier.
    codes : ndarray of shape (n_answers,)
    representing : ndarray of shape (n_answers,)
        Share of all rows that each answer stands for.
    seed : int

    Returns
    -------
    weight : float
        Mean of the weights, by the likelihood of the answers that were left out.
    shares : ndarray of shape (n_answers, n_classes) or None
        Probabilities of the classes for each answer when it was left out. None of
        answers that are too few to leave some out.
    """
    n_answers = len(codes)
    if n_answers < 2 * FOLDS:
        return 1.0, None
    known = np.empty((2, n_answers, codes.max() + 1))
    losses = np.zeros(len(WEIGHTS))
    for part, left in KFold(FOLDS, shuffle=True, random_state=seed).split(codes):
        if len(np.unique(codes[part])) < 2:
            return 1.0, None
        known[:, left] = told(part, left)
        by_graph, by_classifier = known[:, left, codes[left]]
        mixed = WEIGHTS[:, None] * by_graph + (1 - WEIGHTS[:, None]) * by_classifier
        log = np.log((1 - DOUBT) * mixed + DOUBT / (codes.max() + 1))
        losses -= log @ (representing[left] * n_answers)
    likelihood = np.exp(losses.min() - losses)
    weight = float(likelihood @ WEIGHTS / likelihood.sum())
    return weight, weight * known[0] + (1 - weight) * known[1]
