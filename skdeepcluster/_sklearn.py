"""What we use of scikit-learn that it doesn't promise to keep, in one place."""

from typing import Any

from sklearn import base, pipeline, utils
from sklearn.utils import _missing, _param_validation, validation

try:
    from sklearn import callback
except ImportError:  # before 1.9
    CallbackSupportMixin: Any = type("CallbackSupportMixin", (), {})
else:
    CallbackSupportMixin: Any = callback.CallbackSupportMixin

HasMethods: Any = _param_validation.HasMethods
Interval: Any = _param_validation.Interval
StrOptions: Any = _param_validation.StrOptions
_fit_context: Any = base._fit_context
_name_estimators: Any = pipeline._name_estimators
_num_samples: Any = validation._num_samples
_safe_indexing: Any = utils._safe_indexing
is_pandas_na: Any = _missing.is_pandas_na
