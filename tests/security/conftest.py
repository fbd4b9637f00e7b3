"""The gateway of the attack corpus, one per worker, in a thread of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.security.fixture_gateway import Site, running_site
from tests.support.servers import in_background


@pytest.fixture(scope="module")
def corpus_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with in_background(running_site(tmp_path_factory.mktemp("corpus"))) as site:
        yield site
