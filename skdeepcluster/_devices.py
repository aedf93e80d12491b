"""Where a training runs, and how precisely its matrix products do."""

import contextlib
import functools
from typing import Any

import torch

CPU = torch.device("cpu")


def autocast(device: torch.device | str, precision: str) -> Any:
    """Context in which matrix products run in the wanted precision."""
    kind = torch.device(device).type
    if precision == "float32" or (precision == "auto" and not multiplies_bf16(kind)):
        return contextlib.nullcontext()
    return torch.autocast(kind, torch.bfloat16)


@functools.cache
def multiplies_bf16(kind: str) -> bool:
    """Tell whether a kind of device has instructions for products in bfloat16."""
    if kind == "cuda":
        return torch.cuda.get_device_capability() >= (8, 0)
    # Not every version of torch has both.
    asked = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return kind == "cpu" and any(getattr(torch.cpu, name, bool)() for name in asked)


def resolve_device(device: str | torch.device) -> torch.device:
    """Device of that name, ``"auto"`` being the GPU where there is one."""
    if device == "auto":
        return torch.device("cuda") if torch.cuda.is_available() else CPU
    try:
        resolved = torch.device(device)
        # Some names, like "meta", are of devices that hold no numbers.
        torch.zeros((), device=resolved).item()
    except Exception as error:
        reason = str(error).splitlines()[0]
        msg = f"device={device!r} can't be used here ({reason}); try device='auto'."
        raise ValueError(msg) from error
    return resolved
