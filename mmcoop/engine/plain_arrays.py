"""Make numpy's arrays from a pickle without trusting it.

numpy's own unpickling takes a type's flags from the file: an array of
objects that says it is one of plain bytes gets its pointers from the file,
which is as good as running code. So numpy is not asked. What stands in here
knows numbers and texts alone, and checks sizes against what is there.
"""

from typing import Any

import numpy as np

# Truth values, whole and floating and complex numbers, bytes, texts
KINDS = 'biufcSU'


class PlainType:
    """Stands in for `numpy.dtype`.

    Args:
        code (str): Like ``'f8'`` or ``'U3'``.
        *others: Two more that numpy writes, of no meaning here.

    Raises:
        ValueError: If it is neither of numbers nor of text.
    """

    def __init__(self, code: str, *others: Any) -> None:
        self.dtype = np.dtype(code) if isinstance(code, str) else None
        if self.dtype is None or self.dtype.kind not in KINDS:
            raise ValueError(
                f'an array of {code!r} is neither numbers nor text'
            )

    def __setstate__(self, state: tuple) -> None:
        # Of (3, '<', None, None, None, -1, -1, 0), the byte order alone
        # matters; size, fields and flags are not taken from a file.
        order = state[1]
        if order not in ('<', '>', '|', '='):
            raise ValueError(f'the byte order {order!r} does not exist')
        self.dtype = self.dtype.newbyteorder(order)


class PlainArray(np.ndarray):
    """What arrays become; a class of its own since it reads its own state.

    Args:
        *arguments: None. numpy would make an array of any type of any bytes.
    """

    def __new__(cls, *arguments: Any) -> 'PlainArray':
        """Make an empty one, to be given its state."""
        if arguments:
            raise ValueError('an array is made by its state alone')
        return super().__new__(cls, (0,))

    def __setstate__(self, state: tuple) -> None:
        _, shape, kind, in_columns, data = state
        if not isinstance(kind, PlainType):
            raise ValueError(f'an array of {kind!r} is refused')
        values = np.frombuffer(data, kind.dtype) if data else ()
        order = 'F' if in_columns else 'C'
        plain = np.array(values, kind.dtype).reshape(shape, order=order)
        super().__setstate__(plain.__reduce__()[2])

    def __reduce__(self) -> tuple:
        # Checkpoints written later are read by others, who know ndarray.
        return np.array(self, subok=False).__reduce__()


def make_array(*arguments: Any) -> PlainArray:
    """Stand in for numpy's `_reconstruct`.

    Args:
        *arguments: Class, shape and type, which the state repeats.

    Returns:
        PlainArray: An empty one, to be given its state.
    """
    return PlainArray()


def make_scalar(kind: PlainType, data: bytes) -> np.generic:
    """Stand in for numpy's `scalar`.

    Args:
        kind (PlainType): Of what.
        data (bytes): Its value.

    Returns:
        np.generic: A number or a text.
    """
    if not isinstance(kind, PlainType) or len(data) != kind.dtype.itemsize:
        raise ValueError('a number is not of the size of its type')
    if not data:
        return kind.dtype.type()
    return np.frombuffer(data, kind.dtype)[0]


def no_bytes(*arguments: Any) -> bytes:
    """Stand in for `bytes`, which makes as many as a file asks for.

    Args:
        *arguments: None; protocol 2 writes ``b''`` so.

    Returns:
        bytes: None.
    """
    if arguments:
        raise ValueError('bytes are made from a number')
    return b''
