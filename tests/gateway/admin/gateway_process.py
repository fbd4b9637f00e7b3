"""A gateway in a process of its own, to be killed: `python gateway_process.py SETTINGS.json` prints its admin port."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from gateway.app import running
from gateway.settings import Settings


async def main() -> None:
    settings = Settings.model_validate(json.loads(Path(sys.argv[1]).read_text("utf-8")))
    async with running(settings) as gateway:
        print(gateway.admin_port, flush=True)
        await asyncio.Event().wait()


asyncio.run(main())
