"""Reads the table of tensors out of a pickled state dict without unpickling it.

A pickle is a program. This one is not run: its opcodes are followed on a stack of our own, on which
nothing but names, numbers, tuples and dicts can come to lie, and the few callables that a state dict
needs are known by name and turn into records. Anything else is refused.

Source: the opcodes, Lib/pickletools.py of CPython; the callables, torch/_utils.py.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any

from modelcore.checkpoints.error import CheckpointError

STORAGE_DTYPES = {
    "DoubleStorage": "F64",
    "FloatStorage": "F32",
    "HalfStorage": "F16",
    "BFloat16Storage": "BF16",
    "LongStorage": "I64",
    "IntStorage": "I32",
    "ShortStorage": "I16",
    "CharStorage": "I8",
    "ByteStorage": "U8",
    "BoolStorage": "BOOL",
}


@dataclass(frozen=True)
class Storage:
    """A run of numbers beside the pickle."""

    key: str
    dtype: str
    count: int


@dataclass(frozen=True)
class View:
    """A tensor: which numbers of a storage it is made of."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(frozen=True)
class _Callable:
    name: str


def read_table(stream: IO[bytes], file_name: str) -> Any:
    """What one pickle holds, with a View for every tensor; the stream then stands behind it.

    Raises: CheckpointError naming the callable or the opcode that no state dict needs.
    """
    machine = _Machine(file_name)
    try:
        for opcode, argument, _ in pickletools.genops(stream):
            machine.step(opcode.name, argument)
        return machine.pop()
    except CheckpointError:
        raise
    except (ValueError, TypeError, LookupError, OverflowError) as error:
        raise CheckpointError(f"{file_name} is no readable pickle: it is cut short or damaged.") from error


class _Machine:
    """The stack, the marks in it and the memo, as pickle defines them."""

    def __init__(self, file_name: str) -> None:
        self.file_name = file_name
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def step(self, opcode: str, argument: Any) -> None:
        match opcode:
            case "PROTO" | "FRAME" | "STOP":
                pass
            case "NONE" | "NEWTRUE" | "NEWFALSE":
                self.stack.append({"NONE": None, "NEWTRUE": True, "NEWFALSE": False}[opcode])
            case "BININT" | "BININT1" | "BININT2" | "LONG1" | "BINUNICODE" | "SHORT_BINUNICODE":
                self.stack.append(argument)
            case "EMPTY_DICT" | "EMPTY_LIST" | "EMPTY_TUPLE":
                self.stack.append({"EMPTY_DICT": {}, "EMPTY_LIST": [], "EMPTY_TUPLE": ()}[opcode])
            case "MARK":
                self.marks.append(len(self.stack))
            case "TUPLE":
                self.stack.append(tuple(self.pop_to_mark()))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                self.stack.append(tuple(reversed([self.pop() for _ in range(int(opcode[-1]))])))
            case "APPEND" | "APPENDS":
                items = self.pop_to_mark() if opcode == "APPENDS" else [self.pop()]
                self.top(list).extend(items)
            case "SETITEM" | "SETITEMS":
                items = self.pop_to_mark() if opcode == "SETITEMS" else [self.pop(), self.pop()][::-1]
                self.top(dict).update((_text(key), value) for key, value in zip(items[::2], items[1::2], strict=True))
            case "BINPUT" | "LONG_BINPUT":
                self.memo[argument] = self.stack[-1]
            case "MEMOIZE":
                self.memo[len(self.memo)] = self.stack[-1]
            case "BINGET" | "LONG_BINGET":
                self.stack.append(self.memo[argument])
            case "GLOBAL":
                self.stack.append(self.known(argument.replace(" ", ".")))
            case "STACK_GLOBAL":
                name, module = self.pop(), self.pop()
                self.stack.append(self.known(f"{_text(module)}.{_text(name)}"))
            case "BINPERSID":
                self.stack.append(self.storage(self.pop()))
            case "REDUCE":
                arguments, called = self.pop(), self.pop()
                self.stack.append(self.call(called, arguments))
            case "BUILD":
                self.pop()  # what a state dict says of its versions
                self.top(dict)
            case _:
                raise CheckpointError(
                    f"{self.file_name} holds the pickle opcode {opcode}, which no state dict needs.",
                    code="unsafe_pickle",
                    field=opcode,
                )

    def pop(self) -> Any:
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise IndexError("the stack is empty down to its mark")
        return self.stack.pop()

    def pop_to_mark(self) -> list[Any]:
        mark = self.marks.pop()
        items, self.stack[mark:] = self.stack[mark:], []
        return items

    def top(self, kind: type) -> Any:
        if not isinstance(self.stack[-1], kind):
            raise TypeError(f"{kind.__name__} expected")
        return self.stack[-1]

    def known(self, name: str) -> _Callable:
        dtype = STORAGE_DTYPES.get(name.removeprefix("torch."))
        if dtype is None and name not in _CALLS:
            raise CheckpointError(
                f"{self.file_name} is refused: its pickle calls {name[:80]!r}, which no state dict needs.",
                code="unsafe_pickle",
                field=name[:80],
            )
        return _Callable(name)

    def storage(self, reference: Any) -> Storage:
        """Of a persistent id. Source: torch/serialization.py, `persistent_id`."""
        kind, storage, key, _place, count, *view = reference
        if kind != "storage" or not isinstance(storage, _Callable) or view not in ([], [None]):
            raise TypeError("no reference to a storage")
        if not _is_count(count):
            raise TypeError("a storage has a size")
        return Storage(_text(key), STORAGE_DTYPES[storage.name.removeprefix("torch.")], count)

    def call(self, called: Any, arguments: Any) -> Any:
        if not isinstance(called, _Callable) or not isinstance(arguments, tuple) or called.name not in _CALLS:
            raise TypeError("only the known callables are called, with a tuple")
        return _CALLS[called.name](*arguments)


def _rebuild_tensor(
    storage: Any, offset: Any, shape: Any, strides: Any, _requires_grad: Any, _hooks: Any, metadata: Any = None
) -> View:
    for sizes in (shape, strides, (offset,)):
        if not isinstance(sizes, tuple) or not all(_is_count(size) for size in sizes):
            raise TypeError("sizes are whole numbers")
    if len(shape) != len(strides) or not isinstance(storage, Storage) or metadata:
        raise TypeError("a tensor is a view of one storage")
    return View(storage, offset, shape, strides)


def _rebuild_parameter(tensor: Any, _requires_grad: Any, _hooks: Any) -> Any:
    return tensor


def _text(value: Any) -> str:
    """A tuple in its place could be one whose hash or text takes for ever: memo entries nest at no cost."""
    if not isinstance(value, str):
        raise TypeError("keys and names are text")
    return value


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**62


_CALLS: dict[str, Callable[..., Any]] = {
    "collections.OrderedDict": lambda: {},
    "torch._utils._rebuild_tensor_v2": _rebuild_tensor,
    "torch._utils._rebuild_parameter": _rebuild_parameter,
}
