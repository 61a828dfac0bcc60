"""LiveKit's own library minting join tokens in a loop: what one core's cryptography and JSON allow."""

from __future__ import annotations

import sys
import time

from benchmarks.rivals.minimal import mint


def per_second(count: int) -> float:
    """Tokens a second, on this core."""
    began = time.perf_counter()
    for _ in range(count):
        mint("live-demo", "phone-42")
    return count / (time.perf_counter() - began)


if __name__ == "__main__":
    print(per_second(int(sys.argv[1])))
