"""Frames from cameras to MJPEG viewers: one camera with up to a thousand of them, and 500 cameras with one each.

Beside it, in the same run: go2rtc, when `BENCH_GO2RTC` names its binary, and a program in C that does nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.support.camera_load import CameraLoad, Scene, Shown, picture
from benchmarks.support.camera_targets import Target, go2rtc, limit, product, pulling_product
from benchmarks.support.cores import SERVER, on_core
from benchmarks.support.plan import Plan
from benchmarks.support.report import Line, median, number, say

FRAME_BYTES: Final = 20_000
FPS: Final = 25
VIEWERS: Final = (1, 10, 100, 300, 1000)
CAMERAS: Final = 500
CAMERA_FPS: Final = 10
_RIVAL: Final = "BENCH_GO2RTC"

_FIGURES: Final[tuple[tuple[str, str, Callable[[Shown], float]], ...]] = (
    ("frames", "/CPU s", lambda shown: shown.per_cpu_second),
    ("delay p50", "ms", lambda shown: shown.counted.p50_ms),
    ("delay p99", "ms", lambda shown: shown.counted.p99_ms),
    ("delivered", "%", lambda shown: shown.delivered),
)


@dataclass(slots=True)
class _Rounds:
    """One target's rounds of one scene."""

    target: Target
    idle_mb: float
    shown: list[Shown] = field(default_factory=list[Shown])

    def value(self, of: Callable[[Shown], float]) -> float:
        return median(map(of, self.shown))


def run(plan: Plan) -> list[Line]:
    """The figures."""
    load = CameraLoad(plan.folder, picture(FRAME_BYTES))
    rival = os.environ.get(_RIVAL)
    if rival is None:
        say(f"  go2rtc: not measured ({_RIVAL} does not name its binary)")
    lines: list[Line] = []
    viewers = (1, 100, 1000) if plan.quick else VIEWERS
    seconds, rounds = (1.5, 1) if plan.quick else (3.0, 2)
    with ExitStack() as stack:
        targets = _targets(plan.folder / "fan-out", stack, rival, 1)
        per_viewer: list[float] = []
        for count in viewers:
            # 25 frames a second are few beside what each server does now and then.
            found = _rounds(load, targets, 1, Scene(count, FPS, 4 * seconds if count == 1 else seconds), rounds)
            per_viewer = [(one.shown[0].memory_mb - one.idle_mb) * 1000 / count for one in found]
            lines += _beside(f"1 camera, {count} viewer{'s' if count > 1 else ''}: ", found, full=count >= 100)
        lines += _memory(targets, f"memory per viewer ({viewers[-1]} of one camera)", per_viewer)
    with ExitStack() as stack:
        targets = _targets(plan.folder / "cameras", stack, rival, CAMERAS)
        scene = Scene(CAMERAS, CAMERA_FPS, 2 * seconds)
        found = _rounds(load, targets, CAMERAS, scene, rounds)
        per_camera = [(one.shown[0].memory_mb - one.idle_mb) * 1000 / CAMERAS for one in found]
        lines += _beside(f"{CAMERAS} cameras, a viewer each: ", found, full=True)
        lines += _memory(targets, f"memory per camera and its viewer ({CAMERAS})", per_camera)
    return lines


def _targets(folder: Path, stack: ExitStack, rival: str | None, cameras: int) -> list[Target]:
    """Stagedoor first, as cameras push to it; new processes, so that what they hold was taken in this scene."""
    with on_core(SERVER):
        targets = [
            stack.enter_context(product(folder / "stagedoor")),
            stack.enter_context(limit(folder / "limit")),
        ]
        if cameras > 1:  # the fan-out is the same, however the frames came
            targets.append(stack.enter_context(pulling_product(folder / "fetching", cameras)))
        if rival is not None:
            targets.append(stack.enter_context(go2rtc(Path(rival), folder / "go2rtc", cameras)))
    return targets


def _rounds(load: CameraLoad, targets: list[Target], cameras: int, scene: Scene, rounds: int) -> list[_Rounds]:
    found = [_Rounds(target, target.memory()) for target in targets]
    for _ in range(rounds):
        for one in found:
            shown = load.show(one.target.wire(cameras), scene, one.target)
            if shown.counted.disorder:
                raise RuntimeError(f"{one.target.name} delivered {shown.counted.disorder} frames out of order")
            one.shown.append(shown)
            say(
                f"  {cameras} x {scene.fps} fps, {scene.viewers} viewers, {one.target.name}: {number(shown.rate)} "
                f"frames/s, {number(shown.per_cpu_second)} per CPU second, {shown.kernel:.0%} in the kernel, "
                f"delivered {shown.delivered:.2f} %, p50 {number(shown.counted.p50_ms)} ms, "
                f"p99 {number(shown.counted.p99_ms)} ms; load busy {shown.busy:.0%}"
            )
    return found


def _beside(scene: str, found: list[_Rounds], *, full: bool) -> list[Line]:
    ours, *others = found
    return [
        Line(f"{scene}{figure}", ours.value(value), unit, other.target.name, other.value(value))
        for figure, unit, value in _FIGURES[: None if full else 1]
        for other in others
    ]


def _memory(targets: list[Target], figure: str, each: list[float]) -> list[Line]:
    beside = zip(targets[1:], each[1:], strict=True)
    return [Line(figure, each[0], "kB", target.name, theirs) for target, theirs in beside]
