"""What a pure function gave, remembered by its one argument.

    @remembering(256)
    def parse_upload_id(text: str) -> UploadId: ...

`functools.lru_cache` keeps its results in the order they were used, which is half of what a hit costs; a request asks
some twenty such functions. Here a hit is one look into a dictionary, and a function that remembers as much as it may
forgets it all. What raises is not remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

_Argument = TypeVar("_Argument", bound=Hashable)
_Result = TypeVar("_Result")


class Memory(dict[_Argument, _Result], Generic[_Argument, _Result]):
    """The results of a function by argument. `memory[argument]` asks the function for what it does not hold."""

    __slots__ = ("_function", "_keep", "_max_size")

    def __init__(
        self,
        function: Callable[[_Argument], _Result],
        max_size: int,
        keep: Callable[[_Argument], bool] | None = None,
    ) -> None:
        """`keep`: whether the result of an argument is to be remembered; None for every argument."""
        super().__init__()
        self._function = function
        self._max_size = max_size
        self._keep = keep

    def __missing__(self, argument: _Argument) -> _Result:
        result = self._function(argument)
        if self._keep is None or self._keep(argument):
            if len(self) >= self._max_size:
                self.clear()
            self[argument] = result
        return result


def remembering(max_size: int) -> Callable[[Callable[[_Argument], _Result]], Callable[[_Argument], _Result]]:
    """Let a function remember so many results."""

    def decorate(function: Callable[[_Argument], _Result]) -> Callable[[_Argument], _Result]:
        # The dictionary's own method is called without a frame of the interpreter.
        return Memory(function, max_size).__getitem__

    return decorate
