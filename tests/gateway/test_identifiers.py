"""Ids that find a request again: each is given once, in every process."""

from __future__ import annotations

import os
import re
import time
from base64 import b64decode
from collections.abc import Callable

import pytest

from gateway.identifiers import new_decision_id, new_request_id, time_of_id

MANY = 1000


def test_a_decision_id_has_its_time_and_twelve_random_digits() -> None:
    before = int(time.time())
    found = new_decision_id()
    assert re.fullmatch(r"d-[0-9a-f]{20}", found)
    assert before <= (time_of_id(found) or 0) <= int(time.time())


@pytest.mark.parametrize("new", [new_decision_id, new_request_id])
def test_an_id_is_given_once(new: Callable[[], str]) -> None:
    assert len({new() for _ in range(MANY)}) == MANY


@pytest.mark.parametrize("new", [new_decision_id, new_request_id])
def test_a_forked_process_gives_other_ids(new: Callable[[], str]) -> None:
    new()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, "\n".join(new() for _ in range(20)).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, encoding="ascii") as pipe:
        theirs = pipe.read().split("\n")
    os.waitpid(child, 0)
    assert len(theirs) == 20
    assert not {new() for _ in range(20)} & set(theirs)


def test_a_request_id_is_given_once_beyond_what_one_third_number_has() -> None:
    found = [new_request_id() for _ in range(2 * 256**2 + 2)]
    assert len(set(found)) == len(found)
    texts = [b64decode(each, validate=True).decode("ascii") for each in found]
    assert all(re.fullmatch(r"[0-9a-f]{8}_[0-9a-f]{8}_[0-9a-f]{8}_[0-9a-f]{6}", text) for text in texts)
    assert len({text.split("_")[2] for text in texts}) >= 3
