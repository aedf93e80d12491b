"""Paragraphs that several docstrings share, and what puts them there."""

import re
import textwrap
from typing import Any, TypeVar

Documented = TypeVar("Documented")

# A docstring takes one by its name in braces on a line of its own; so do they.
PARAGRAPHS = {
    "X": """
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows in the units of the training data.""",
    "cluster_names": """
        cluster_names : dict of label to str, default=None
            Names of clusters, written behind their labels.""",
    "y": """
        y : object, default=None
            Ignored.""",
    "self": """
        self : object
            The fitted estimator.""",
    "refused": """
        ValueError
            If a parameter or the data are unusable, before any training; if training
            diverges.
        KeyboardInterrupt
            If the user interrupts the training, after which the estimator has what
            was learned until then.""",
    "n_clusters": """
        n_clusters : int or None, default=8
            Number of clusters. None finds it, with ``init="graph"`` or a clusterer
            that finds one.""",
    "encoder": """
        encoder : Autoencoder, "passthrough" or None, default=None
            The network that makes latent rows. An :class:`Autoencoder` that is
            fitted is used as it is, and stays so in clones, so that its training is
            shared by all the fits of a search; one that isn't is cloned and fitted.
            None is ``Autoencoder()``; but DEC, IDEC and DCN, which train it on towards
            the clusters of a graph, have narrower layers for fewer than 5,000 rows
            then, and train it briefly before: give ``Autoencoder()`` where
            reconstructions count. "passthrough" has no network: rows that are
            embeddings already are clustered as they are, but for one unit for all
            columns.""",
    "init": """
        init : {"graph", "k-means"}, array-like, callable or clusterer, default="graph"
            Initial clusters. "graph" takes those of a graph of neighbours, in ``X``
            and in the latent space, and teaches the network to tell them apart;
            these clusters may be long or bent, where k-means would cut them into
            round parts. A :class:`~skdeepcluster.graph.GraphClustering` does the
            same with settings of its own. "k-means" is that of the latent rows with
            20 restarts, as in the paper. Centroids of shape ``(n_clusters,
            latent_dim)`` are taken as they are, and so are those that a callable
            ``(Z, n_clusters, random_state)`` returns for latent rows. Any other
            scikit-learn clusterer, as ``KMeans(n_init=5)``, is cloned, told
            ``n_clusters``, and fitted to the latent rows.""",
    "heads_init": """
        init : {"graph", "k-means", "random"}, array-like, callable or clusterer, \
                default="graph"
            Clusters that the heads are taught first: those of a
            :class:`~skdeepcluster.graph.GraphClustering` of the rows, with its defaults
            or as given, of k-means, of centroids, or of another clusterer, as in
            :class:`DECClustering`. With "random", the heads are taught none.""",
    "usable": """
        Nearest neighbours that the partner of a row is drawn from. A row has no more
        than there are rows in a cluster on average, nor than a third of the rows. They
        are found once, among rows of at most 50 principal components.""",
    "head_units": """
        hidden_units : sequence of int, default=(256, 128)
            Widths of the hidden layers of a head, of which the last is linear: with
            one, clusters are parted by planes. Its rows are scaled to length one, and
            are what `transform` returns.""",
    "heads_schedule": """
        max_epochs : int, default=20
            Passes over the rows, each of which is shown beside a neighbour.
        batch_size : int, default=128
            Rows in a step, each with a neighbour, at most.
        lr : float, default=1e-4
            Learning rate.""",
    "heads_attributes": """
        {labels_}
        {n_clusters_}
        module_ : torch.nn.Module
            The scale of the embeddings.
        head_ : torch.nn.Module
            The head that was kept.
        history_ : dict of list of dict
            Under "clustering" and, unless ``init="random"``, "teaching", one dictionary
            an epoch with its ``train_loss``, the mean of all heads, and duration
            ``dur`` in seconds.
        {n_iter_}
        {features}""",
    "training": """
        training : Training or None, default=None
            Optimizer, callbacks, device, checkpoint and the rest of what is seldom
            changed: see :class:`Training`. Clusterer and ``encoder`` have each their
            own; where one is None, it has device, precision, ``max_samples`` and
            ``checkpoint`` of the other.""",
    "verbose": """
        verbose : int, default=0
            Whether to report each epoch.""",
    "random_state": """
        random_state : int, RandomState instance or None, default=None
            Seed of everything random. None takes fresh entropy; global random
            generators are neither read nor moved.""",
    "common": """
        {training}
        {verbose}
        {random_state}""",
    "max_epochs": """
        max_epochs : int, default=50
            Passes over the data in the clustering phase, at most. With 0, the
            initial clusters are final.""",
    "batch_size": """
        batch_size : int, default=256
            Rows in a step, at most.""",
    "tol": """
        tol : float, default=1e-3
            The clustering phase ends when a smaller share of labels changed between
            two updates.""",
    "update_interval": """
        update_interval : int or None, default=None
            Steps between two updates of the target distribution, 140 in the paper,
            which are made after whole epochs: after each at most, and after every
            fifth at least. None makes the target of each step anew, from the
            assignments of its rows and from how large clusters were at the last
            update, which is as good from the graph and better from k-means; changed
            images (``augment`` of the autoencoder) are held to the target that the
            images themselves have, renewed every 140 steps.""",
    "labels_": """
        labels_ : ndarray of shape (n_samples,)
            Cluster of each training row; -1 in a dropped cluster.
        cluster_names_ : dict of int to str
            Names that `rename_cluster` gave.
        edits_ : list of str
            What was done by hand since `fit`, in words.""",
    "n_clusters_": """
        n_clusters_ : int
            Number of clusters.""",
    "cluster_centers_": """
        cluster_centers_ : ndarray of shape (n_clusters, latent_dim)
            Centroids in the latent space, and not among the rows, as they were learned:
            ``inverse_transform(cluster_centers_)`` has them in the units of ``X``.""",
    "module_": """
        module_ : torch.nn.Module
            The trained network.""",
    "pretraining_history_": """
        history_ : dict of list of dict
            Under "pretraining", one dictionary an epoch with its ``train_loss`` and
            duration ``dur`` in seconds.""",
    "joint_history_": """
        history_ : dict of list of dict
            Under "pretraining", "clustering" and, with ``init="graph"``, "teaching",
            one dictionary an epoch with its ``train_loss`` and duration ``dur`` in
            seconds.""",
    "n_iter_": """
        n_iter_ : int
            Epochs of the clustering phase.""",
    "features": """
        n_features_in_ : int
            Number of features seen in `fit`.
        feature_names_in_ : ndarray of shape (`n_features_in_`,)
            Names of features seen in `fit`, where they are all strings.""",
    "clusterer": """
        estimator : estimator
            A fitted clusterer or a pipeline that ends in one.""",
    "labels": """
        labels : array-like of shape (n_samples,)
            Clusters; negative numbers are noise.""",
    "title": """
        title : str, default=""
            Title of the picture.""",
    "ax": """
        ax : matplotlib Axes, default=None
            Where to draw. None makes a new figure.""",
    "ax_and_display": """
        {ax}

        {returns_display}""",
    "returns_display": """
        Returns
        -------
        display : object
            The display, drawn.""",
    "ax_and_figure": """
        {ax}

        Returns
        -------
        matplotlib Figure
            The figure drawn on.""",
    "ax_": """
        ax_ : matplotlib Axes
            Axes drawn on.""",
    "figure_": """
        figure_ : matplotlib Figure
            Figure that holds them.""",
}

NAMED = re.compile(r"^( *)\{(\w+)\}$", re.MULTILINE)


def filled(docstring: str) -> str:
    """Put the paragraphs that a docstring names into it, at their indentation."""

    def paragraph(match: re.Match[str]) -> str:
        text = textwrap.dedent(PARAGRAPHS[match[2]]).strip()
        return textwrap.indent(filled(text), match[1])

    return NAMED.sub(paragraph, docstring)


def documented(it: Documented) -> Documented:
    """Fill the docstring of a function, or those of a class and of what is in it."""
    parts: list[Any] = [it, *vars(it).values()] if isinstance(it, type) else [it]
    for part in parts:
        # A method of a class or of none is a function within.
        own = getattr(part, "__func__", part)
        text = getattr(own, "__doc__", None)
        if text and NAMED.search(text):
            own.__doc__ = filled(text)
    return it
