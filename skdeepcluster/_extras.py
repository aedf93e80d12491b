"""Optional dependencies, imported where they are first needed."""

import importlib
import warnings
from types import ModuleType


def import_extra(module: str, extra: str, purpose: str) -> ModuleType:
    """Import an optional dependency, or say which extra brings it.

    Parameters
    ----------
    module : str
        Name of the module.
    extra : str
        Extra of this package that installs it.
    purpose : str
        What needs it.

    Returns
    -------
    module

    Raises
    ------
    ImportError
        If it is not installed.
    """
    try:
        with warnings.catch_warnings():
            # UMAP misses an optional dependency of its own, which we don't use.
            warnings.simplefilter("ignore", ImportWarning)
            return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{purpose} needs {module.partition('.')[0]}, which is not installed: "
            f"pip install 'skdeepcluster[{extra}]'."
        ) from error
