"""`python -m benchmarks [NAME …] [--quick] [--json FILE]`: every figure beside a rival or a limit of the same run."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from benchmarks import (
    apply,
    bridge,
    cameras,
    composition,
    feed,
    hls,
    ingest,
    jobs,
    memory,
    rtmp,
    startup,
    tokens,
    webhooks,
    webhooks_slow_consumer,
)
from benchmarks.support.plan import Plan
from benchmarks.support.report import Line, as_json, machine, say, table

BENCHMARKS: Final[Mapping[str, Callable[[Plan], list[Line]]]] = {
    "webhooks": webhooks.run,
    "tokens": tokens.run,
    "startup": startup.run,
    "memory": memory.run,
    "apply": apply.run,
    "feed": feed.run,
    "bridge": bridge.run,
    "jobs": jobs.run,
    "webhooks_slow_consumer": webhooks_slow_consumer.run,
    "cameras": cameras.run,
    "ingest": ingest.run,
    "rtmp": rtmp.run,
    "composition": composition.run,
    "hls": hls.run,
}


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure Stagedoor beside its rivals.")
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, "all"], default="all", help="what to measure")
    parser.add_argument("--quick", action="store_true", help="a short run with rough figures")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to a file as well")
    parser.add_argument(
        "--dir", type=Path, default=Path("/var/tmp"), help="folder on the disk to measure (not a memory file system)"
    )
    given = parser.parse_args()
    names = list(BENCHMARKS) if "all" in given.names else list(dict.fromkeys(given.names))
    where = machine()
    say(f"Measured on {where}{'; a quick run, its figures are rough' if given.quick else ''}.")
    lines: list[Line] = []
    failed: list[str] = []
    for name in names:
        say(f"\n{name}")
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix=f"stagedoor-bench-{name}-", dir=given.dir) as folder:
            try:
                found = BENCHMARKS[name](Plan(given.quick, Path(folder)))
            except (webhooks.EventsLost, RuntimeError) as error:
                say(f"  FAILED: {error}")
                failed.append(name)
                continue
        lines += found
        say(f"{table(found)}\n({time.monotonic() - began:.0f} s)")
    if len(names) > 1:
        say(f"\nAll figures\n{table(lines)}")
    if given.json is not None:
        given.json.write_text(json.dumps(as_json(lines, quick=given.quick, machine=where), indent=2) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
