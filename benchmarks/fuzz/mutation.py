"""Mutations of byte strings, reproducible from a seed: the same seed gives the same inputs on every machine."""

from __future__ import annotations

import random
from collections.abc import Sequence


class Mutator:
    """Makes inputs near a grammar: a sample, changed one to six times with the grammar's own pieces and noise."""

    def __init__(self, seed: int, samples: Sequence[bytes], pieces: Sequence[bytes], *, max_bytes: int = 4096) -> None:
        self._random = random.Random(seed)
        self._samples = tuple(samples)
        self._pieces = tuple(pieces)
        self._max_bytes = max_bytes

    def next(self) -> bytes:
        draw = self._random.random
        sample = self._samples
        data = bytearray(sample[int(draw() * len(sample))])
        pieces = self._pieces
        for _ in range(1 + int(draw() * draw() * 6)):
            size = len(data)
            at = int(draw() * (size + 1))
            kind = draw()
            if kind < 0.3:
                data[at:at] = pieces[int(draw() * len(pieces))]
            elif kind < 0.5:
                if at < size:
                    data[at] = int(draw() * 256)
            elif kind < 0.6:
                del data[at : at + 1 + int(draw() * 8)]
            elif kind < 0.7:
                data[at:at] = data[at : at + 1 + int(draw() * 16)]
            elif kind < 0.8:
                data[at:at] = bytes((int(draw() * 256),))
            elif kind < 0.9:
                piece = pieces[int(draw() * len(pieces))]
                data[at : at + len(piece)] = piece
            else:
                other = sample[int(draw() * len(sample))]
                data[at:] = other[int(draw() * (len(other) + 1)) :]
        return bytes(data[: self._max_bytes])
