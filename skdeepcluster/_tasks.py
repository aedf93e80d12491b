"""What scikit-learn's own callbacks are told of a fit: its phases and their epochs.

They came with scikit-learn 1.9. Of an older version, and of an estimator that has none,
nothing is told.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any


@dataclass
class Task:
    """A part of a fit that is told of."""

    estimator: Any = None
    context: Any = None
    # Whether a callback wants no more like it.
    stopped: bool = False


# The innermost task of the fit that is under way, which parts of it are parts of.
_under_way: ContextVar[Task | None] = ContextVar("under_way", default=None)


def telling(fit: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a method ``fit``: it tells its estimator's callbacks of all it does.

    scikit-learn's own decorator, around this one, takes leave of the callbacks.
    """

    @functools.wraps(fit)
    def telling_fit(estimator: Any, *args: Any, **kwargs: Any) -> Any:
        if not vars(estimator).keys() & {"_skl_callbacks", "_parent_callback_ctx"}:
            return fit(estimator, *args, **kwargs)
        # How many phases there will be is not known before.
        context = estimator._init_callback_context(max_subtasks=None)
        with _entered(Task(estimator, context)):
            return fit(estimator, *args, **kwargs)

    return telling_fit


@contextlib.contextmanager
def told(name: str, n_parts: int = 0) -> Iterator[Task]:
    """Context of a part of the fit that is under way, and of so many parts itself."""
    outer = _under_way.get()
    if outer is None:
        yield Task()
        return
    context = outer.context.subcontext(name, max_subtasks=n_parts)
    with _entered(Task(outer.estimator, context)) as task:
        yield task


@contextlib.contextmanager
def _entered(task: Task) -> Iterator[Task]:
    """Tell of a task at its begin and at its end."""
    task.context.call_on_fit_task_begin(estimator=task.estimator)
    before = _under_way.set(task)
    try:
        yield task
    finally:
        _under_way.reset(before)
    task.stopped = task.context.call_on_fit_task_end(estimator=task.estimator)
