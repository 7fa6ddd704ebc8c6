"""Load numpy without the threads of its OpenBLAS."""

import os
import sys

#: The variable that OpenBLAS reads when it is loaded.
VARIABLE = "OPENBLAS_NUM_THREADS"


def load_numpy() -> None:
    """Load numpy with one BLAS thread, unless the user has set their number.

    The products of numpy are small here: ONNX Runtime and PyTorch have threads of their own. The
    other threads of OpenBLAS wait in a loop after their start, and so use a core while a sentence
    is translated. The variable is removed afterwards, since other libraries read it too, such as
    PyTorch on ARM.
    """
    if VARIABLE in os.environ or "numpy" in sys.modules:
        return
    os.environ[VARIABLE] = "1"
    try:
        import numpy  # noqa: F401
    finally:
        del os.environ[VARIABLE]
