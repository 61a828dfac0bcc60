"""The state machine of an ingress: whatever comes in whatever order, states and events fit together."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from stagedoor.sources.ingress import state as machine
from stagedoor.sources.ingress.state import Audio, Change, Failure, State, Video

VIDEO = Video("h264", "High", 1280, 720, 25.0, 2_000_000)
AUDIO = Audio("aac", 48_000, 2, 128_000)

videos = st.none() | st.builds(
    Video,
    codec=st.sampled_from(["h264", "h265"]),
    width=st.sampled_from([640, 1280]),
    fps=st.sampled_from([25.0, 30.0]),
    bitrate=st.sampled_from([0, 1_000_000]),
)
audios = st.none() | st.builds(Audio, codec=st.sampled_from(["aac", "opus"]), bitrate=st.sampled_from([0, 64_000]))
failures = st.builds(Failure, st.sampled_from(["source_ended", "unsupported_codec"]), st.just("It is so."))

steps = st.one_of(
    st.just(("begin", ())),
    st.tuples(st.just("publish"), st.tuples(videos, audios, st.integers(1, 9))),
    st.tuples(st.just("change"), st.tuples(videos, audios)),
    st.tuples(st.just("interrupt"), st.tuples(failures)),
    st.tuples(st.just("join"), st.tuples(st.just("PA_1"))),
    st.just(("end", ())),
    st.tuples(st.just("fail"), st.tuples(failures)),
)


def measured(state: State) -> Change:
    return machine.measure(state, video_bitrate=3_000_000, fps=24.9, last_frame_at=7)


@given(st.lists(steps, max_size=30))
def test_what_starts_ends_once_and_states_agree_with_the_events(taken: list[tuple[str, tuple[object, ...]]]) -> None:
    state, started = State(), False
    for name, arguments in taken:
        before = state
        state, event = getattr(machine, name)(state, *arguments)
        if event == "ingress.started":
            assert not started
            started = True
        elif event == "ingress.ended":
            assert started, "what never started does not end"
            started = False
        elif event == "ingress.failed":
            started = started and state.live
        if name == "begin":
            started = False  # a publication that replaces another is preceded by the other's end
        assert started == (state.started_at is not None)
        if state.status in {"publishing", "reconnecting"}:
            assert started
        if not state.live:
            assert (state.video, state.audio, state.participant_sid) == (None, None, None)
        assert (state.error is not None) or state.status not in {"error", "reconnecting"}
        assert state.status != "publishing" or state.error is None
        if state == before:
            assert event is None or (event == "ingress.failed" and name == "fail")


@given(st.lists(steps, max_size=10))
def test_measurements_change_no_status_and_are_no_event(taken: list[tuple[str, tuple[object, ...]]]) -> None:
    state = State()
    for name, arguments in taken:
        state, _ = getattr(machine, name)(state, *arguments)
        after, event = measured(state)
        assert event is None
        assert (after.status, after.error, after.restarts) == (state.status, state.error, state.restarts)
        assert state.live or after == state, "a report that comes late changes nothing"


def test_a_change_of_the_measured_rate_is_no_event_and_a_change_of_the_size_is() -> None:
    state, _ = machine.begin(State())
    state, event = machine.publish(state, VIDEO, AUDIO, 5)
    assert event == "ingress.started"
    state, event = machine.change(state, replace(VIDEO, fps=24.8, bitrate=1), replace(AUDIO, bitrate=9))
    assert event is None
    state, event = machine.change(state, replace(VIDEO, width=640, height=360), AUDIO)
    assert event == "ingress.updated"


def test_an_interruption_counts_once_however_often_it_is_reported() -> None:
    state, _ = machine.begin(State())
    state, _ = machine.publish(state, VIDEO, None, 5)
    away = Failure("livekit_unreachable", "LiveKit does not answer.")
    events: list[str | None] = []
    for _ in range(3):
        state, event = machine.interrupt(state, away)
        events.append(event)
    assert (state.status, state.restarts, events) == ("reconnecting", 1, ["ingress.updated", None, None])
    state, event = machine.publish(state, VIDEO, None, 50)
    assert (state.status, state.started_at, state.error, event) == ("publishing", 5, None, "ingress.updated")


def test_a_camera_that_stays_away_fails_once() -> None:
    state, events = State(), list[str | None]()
    refused = Failure("source_failed", "The camera refuses the connection.")
    for _ in range(3):
        state, _ = machine.begin(state)
        state, event = machine.fail(state, refused)
        events.append(event)
    assert events == ["ingress.failed", None, None]
    state, _ = machine.begin(state)
    state, event = machine.fail(state, Failure("auth_failed", "The password is wrong."))
    assert event == "ingress.failed"


def test_the_error_of_an_encoders_last_attempt_goes_when_it_comes_again_and_that_of_a_pull_stays() -> None:
    failed = State("error", error=Failure("undecodable", "It cannot be decoded."))
    assert machine.begin(failed)[0].error is None
    assert machine.begin(failed, pulled=True)[0].error == failed.error


def test_the_bit_rate_of_the_audio_is_measured_as_the_videos_is() -> None:
    state, _ = machine.begin(State())
    state, _ = machine.publish(state, VIDEO, replace(AUDIO, bitrate=None), 5)
    state, _ = machine.measure(state, video_bitrate=1, audio_bitrate=96_000, fps=25, last_frame_at=7)
    assert state.audio is not None
    assert state.audio.bitrate == 96_000
