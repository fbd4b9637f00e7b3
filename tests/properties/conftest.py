"""How long properties are tried: no deadline per example, since the machine is shared with other workers.

`HYPOTHESIS_PROFILE=fuzz` tries far more.
"""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("default", max_examples=200, deadline=None)
settings.register_profile("fuzz", max_examples=20_000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
