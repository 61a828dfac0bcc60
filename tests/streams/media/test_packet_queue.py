"""What waits for a publisher is bounded, and what is dropped leaves a stream that a decoder can begin at."""

from __future__ import annotations

import threading
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from stagedoor.streams.media.child.media import MediaPacket, Track
from stagedoor.streams.media.child.packet_queue import QUEUED_BYTES, PacketQueue

VIDEO, AUDIO = Track("video", "h264", "h264"), Track("audio", "aac", "aac")


def packet(number: int, *, key: bool = False, size: int = 1 << 20, track: Track = VIDEO) -> MediaPacket:
    return MediaPacket(track, bytes(size), number, number, key, live=True)


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([1_000, 1 << 20, 4 << 20]), st.booleans()), max_size=120))
def test_packets_wait_up_to_a_bound_and_go_on_at_a_key_frame(steps: list[tuple[bool, int, bool]]) -> None:
    queue, taken = PacketQueue(), list[MediaPacket]()
    waiting = 0
    for number, (key, size, takes) in enumerate(steps):
        before = len(queue)
        queue.push(packet(number, key=key, size=size))
        waiting += size if len(queue) > before else 0
        assert waiting <= QUEUED_BYTES
        if takes and (one := queue.pop()) is not None:
            taken.append(one)
            waiting -= len(one.data)
    while (one := queue.pop()) is not None:
        taken.append(one)
    assert len(taken) + queue.dropped == len(steps)
    for before, after in pairwise(taken):
        assert before.pts < after.pts
        assert after.key or after.pts == before.pts + 1, "after a gap a decoder needs a key frame"


def test_sound_is_not_dropped() -> None:
    queue = PacketQueue()
    for number in range(QUEUED_BYTES >> 20):
        queue.push(packet(number, key=number == 0))
    queue.push(packet(100))
    queue.push(packet(101, size=100, track=AUDIO))
    assert (queue.dropped, len(queue)) == (1, (QUEUED_BYTES >> 20) + 1)


def test_who_waits_is_woken_by_a_packet_and_by_the_end() -> None:
    queue = PacketQueue()
    threading.Timer(0.05, queue.push, [packet(1)]).start()
    assert queue.pop(30) is not None
    threading.Timer(0.05, queue.close).start()
    assert queue.pop(30) is None
