"""A fit that was killed goes on: its state in a folder, after each epoch and phase.

Every file is a checksum and what `torch.save` makes of tensors and plain values. It is
written under another name and then renamed, so that it is whole or not there, and read
without running any code.
"""

import hashlib
import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch

# Of the files: raised when what they hold changes.
FORMAT = 2

CHECKSUM_SIZE = 32
BYTES_AT_ONCE = 1 << 24


@dataclass(frozen=True)
class Journal:
    """What a fit has done, in a folder; without one, nothing is kept.

    Parameters
    ----------
    folder : Path or None, default=None
    """

    folder: Path | None = None

    def page(self, name: str) -> "Page":
        """Return the page of a phase."""
        return Page(self.folder and self.folder / f"{name}.state")


@dataclass(frozen=True)
class Page:
    """The state of one phase.

    Parameters
    ----------
    path : Path or None, default=None
    """

    path: Path | None = None

    def read(self) -> Any:
        """Return what was written last, or None."""
        if self.path is None or not self.path.exists():
            return None
        data = self.path.read_bytes()
        checksum, state = data[:CHECKSUM_SIZE], data[CHECKSUM_SIZE:]
        if checksum != hashlib.blake2b(state, digest_size=CHECKSUM_SIZE).digest():
            raise ValueError(
                f"The checkpoint {str(self.path)!r} is damaged or truncated; remove its"
                " folder to start anew, or give another."
            )
        return torch.load(io.BytesIO(state), map_location="cpu", weights_only=True)

    def write(self, make_state: Callable[[], Any]) -> None:
        """Keep a state, which is only made where it is kept."""
        if self.path is None:
            return
        buffer = io.BytesIO()
        torch.save(plain(make_state(), "state"), buffer)
        state = buffer.getvalue()
        unfinished = self.path.with_suffix(".unfinished")
        with unfinished.open("wb") as file:
            file.write(hashlib.blake2b(state, digest_size=CHECKSUM_SIZE).digest())
            file.write(state)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(self.path)


def plain(value: Any, name: str) -> Any:
    """Tensors and plain values alone, arrays becoming tensors."""
    if isinstance(value, dict):
        return {key: plain(part, str(key)) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(plain(part, name) for part in value)
    if isinstance(value, np.ndarray):
        return torch.from_numpy(np.array(value))
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, str):
        return str(value)
    if value is None or isinstance(value, (bool, int, float, torch.Tensor)):
        return value
    raise ValueError(
        f"checkpoint can't keep {name!r}, which is no number or text but "
        f"{type(value).__name__}: leave out what records it, or checkpoint."
    )


def open_journal(
    folder: Any, facts: dict[str, str], seeds: list[int], seeded: bool
) -> tuple[Journal, list[int]]:
    """Open the journal of a fit, if there is to be one, and tell the fit's seeds.

    Parameters
    ----------
    folder : str, path or None
    facts : dict of str to str
        What the fit depends on; a journal of another fit is refused.
    seeds : list of int
        Seeds of this fit, if it is the first.
    seeded : bool
        Whether the seeds were asked for. If not, those of the first fit count.
    """
    if folder is None:
        return Journal(), seeds
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    page = Journal(path).page("fit")
    facts = {"format": str(FORMAT), **facts}
    if seeded:
        facts["seeds"] = ", ".join(map(str, seeds))
    kept = page.read()
    if kept is None:
        if any(path.glob("*.state")):
            raise ValueError(
                f"checkpoint={str(path)!r} has states of a fit that nothing is known "
                "of; give another folder."
            )
        page.write(lambda: {"facts": facts, "seeds": seeds})
        return Journal(path), seeds
    then = kept["facts"]
    for name in sorted({*facts, *then}, key=lambda name: (name != "format", name)):
        if facts.get(name) != then.get(name):
            raise ValueError(
                f"checkpoint={str(path)!r} is of another fit, whose {name} was "
                f"{then.get(name)} and not {facts.get(name)}; give another folder."
            )
    return Journal(path), kept["seeds"]


def fingerprint(X: Any) -> str:
    """Tell an array or CSR matrix by a checksum."""
    checksum = hashlib.blake2b(digest_size=16)
    for part in (X.data, X.indices, X.indptr) if sp.issparse(X) else (X,):
        checksum.update(f"{X.shape} {part.dtype}".encode())
        step = max(BYTES_AT_ONCE // max(part[:1].nbytes, 1), 1)
        for start in range(0, len(part), step):
            checksum.update(part[start : start + step].tobytes())
    return checksum.hexdigest()
