"""The plain values in a pickle, read without running it.

A pickle is a small program, and loading it the usual way runs whatever it names. Here its instructions are only read:
values, lists, tuples and dicts are put together, and where the program would import something and call it, the answer
holds the name and the arguments (``Made``) for the caller to judge. Nothing is imported, nothing is called.
"""

import pickletools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

_VALUES = frozenset({
    "INT", "BININT", "BININT1", "BININT2", "LONG1", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES",
    "BINUNICODE", "SHORT_BINUNICODE",
})  # fmt: skip


@dataclass(eq=False)
class Made:
    """What the program would have made: ``name`` ("module name") called with ``arguments``, then given ``state``.

    A thing that is named and never called has no arguments.
    """

    name: str
    arguments: tuple[Any, ...] = ()
    state: Any = None


def plain_values(data: bytes) -> Any:
    """The value that the pickle ``data`` describes; texts of Python 2 come as str, one character for each byte.

    Raises ValueError when it is no whole pickle, or one with instructions that numbers, texts and arrays do not need.
    """
    machine = _Machine()
    try:
        for operation, argument, _ in pickletools.genops(data):
            name = operation.name
            if name == "STOP":
                return machine.stack.pop()
            if name in _VALUES:
                machine.stack.append(argument)
            elif name in _STEPS:
                _STEPS[name](machine, argument)
            else:
                raise ValueError(f"a pickle with the instruction {name}, which plain values do not need")
    except (IndexError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"a damaged pickle: {error}") from error
    raise ValueError("a pickle without an end")


@dataclass
class _Machine:
    """The stack that the instructions work on; ``marks`` are where runs of items begin in it."""

    stack: list[Any] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def last(self, count: int) -> list[Any]:
        """The last ``count`` items, taken off."""
        if count > len(self.stack):
            raise IndexError("items are missing")
        start = len(self.stack) - count
        items, self.stack[start:] = self.stack[start:], []
        return items

    def run(self) -> list[Any]:
        """The items since the last mark, taken off."""
        return self.last(len(self.stack) - self.marks.pop())


def _make_tuple(machine: _Machine, items: list[Any]) -> None:
    machine.stack.append(tuple(items))


def _fill_list(machine: _Machine, items: list[Any]) -> None:
    _container(machine, list).extend(items)


def _fill_dict(machine: _Machine, items: list[Any]) -> None:
    target = _container(machine, dict)
    for key, value in zip(items[::2], items[1::2], strict=True):
        if not isinstance(key, str | bytes | int):  # a deep tuple would be hashed level by level, down to a crash
            raise TypeError("a key is neither text nor a number")
        target[key] = value


def _container(machine: _Machine, kind: type) -> Any:
    target = machine.stack[-1]
    if not isinstance(target, kind):
        raise TypeError(f"items for a {kind.__name__} that is not there")
    return target


def _call(machine: _Machine) -> None:
    named, arguments = machine.last(2)
    # A fresh one: the name may stand in the memo for the next call.
    machine.stack.append(Made(named.name, tuple(arguments)))


def _give_state(machine: _Machine) -> None:
    (state,) = machine.last(1)
    _container(machine, Made).state = state


def _memorise(machine: _Machine, place: int) -> None:
    machine.memo[place] = machine.stack[-1]


_STEPS: dict[str, Callable[[_Machine, Any], None]] = {
    "PROTO": lambda *_: None,
    "FRAME": lambda *_: None,
    "NONE": lambda machine, _: machine.stack.append(None),
    "NEWTRUE": lambda machine, _: machine.stack.append(True),
    "NEWFALSE": lambda machine, _: machine.stack.append(False),
    "EMPTY_DICT": lambda machine, _: machine.stack.append({}),
    "EMPTY_LIST": lambda machine, _: machine.stack.append([]),
    "EMPTY_TUPLE": lambda machine, _: machine.stack.append(()),
    "MARK": lambda machine, _: machine.marks.append(len(machine.stack)),
    "TUPLE": lambda machine, _: _make_tuple(machine, machine.run()),
    "TUPLE1": lambda machine, _: _make_tuple(machine, machine.last(1)),
    "TUPLE2": lambda machine, _: _make_tuple(machine, machine.last(2)),
    "TUPLE3": lambda machine, _: _make_tuple(machine, machine.last(3)),
    "APPEND": lambda machine, _: _fill_list(machine, machine.last(1)),
    "APPENDS": lambda machine, _: _fill_list(machine, machine.run()),
    "SETITEM": lambda machine, _: _fill_dict(machine, machine.last(2)),
    "SETITEMS": lambda machine, _: _fill_dict(machine, machine.run()),
    "GLOBAL": lambda machine, name: machine.stack.append(Made(name)),
    "STACK_GLOBAL": lambda machine, _: machine.stack.append(Made(" ".join(machine.last(2)))),
    "REDUCE": lambda machine, _: _call(machine),
    "BUILD": lambda machine, _: _give_state(machine),
    "PUT": _memorise,
    "BINPUT": _memorise,
    "LONG_BINPUT": _memorise,
    "MEMOIZE": lambda machine, _: _memorise(machine, len(machine.memo)),
    "GET": lambda machine, place: machine.stack.append(machine.memo[place]),
    "BINGET": lambda machine, place: machine.stack.append(machine.memo[place]),
    "LONG_BINGET": lambda machine, place: machine.stack.append(machine.memo[place]),
}
