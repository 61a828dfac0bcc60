"""The pictures of `multipart/x-mixed-replace` as cameras write it, however the bytes are cut."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Final, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagedoor.sources.pull.multipart import MultipartReader, boundary_of
from tests.support.cameras import frame

MOST: Final = 20_000
Length = Literal["right", "none", "short", "long", "longer", "zero", "huge", "negative", "with_newline"]
Kind = Literal["picture", "boundary_inside", "cut", "cut_and_ended", "text", "empty"]


def picture(mark: str, comment: bytes = b"") -> bytes:
    """A whole JPEG, perhaps with a comment in it."""
    data = frame(mark)
    return data if not comment else data[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2) + comment + data[2:]


@dataclass(frozen=True)
class Part:
    """How a camera writes one part."""

    kind: Kind
    length: Length
    newline: bytes
    junk: bytes
    extra_line: bool
    padding: bytes

    def body(self, number: int, boundary: bytes) -> bytes:
        match self.kind:
            case "picture":
                return picture(str(number))
            case "boundary_inside":
                return picture(str(number), b"\r\n--" + boundary + b"\r\nContent-Type: image/jpeg\r\n\r\n")
            case "cut":
                whole = picture(str(number))
                return whole[: len(whole) - 20]
            case "cut_and_ended":
                return picture(str(number))[:-20] + b"\xff\xd9"
            case "text":
                return b"temperature: 21"
            case "empty":
                return b""

    def wire(self, number: int, boundary: bytes) -> bytes:
        body, end = self.body(number, boundary), self.newline
        said = {
            "right": len(body),
            "none": None,
            "short": len(body) // 2,
            "long": len(body) + 7,
            "longer": len(body) + 900,
            "zero": 0,
            "huge": 1 << 40,
            "negative": -1,
            "with_newline": len(body) + len(end),
        }[self.length]
        kind = b"text/plain" if self.kind == "text" else b"image/jpeg"
        lines = [b"--" + boundary, b"Content-Type: " + kind]
        if said is not None:
            lines.append(b"Content-Length: %d" % said)
        extra = end if self.extra_line and self.kind in {"picture", "boundary_inside"} else b""
        return self.junk + end.join([*lines, b"", b""]) + extra + body + self.padding + end


lengths = st.sampled_from(
    ["right", "right", "none", "short", "long", "longer", "zero", "huge", "negative", "with_newline"]
)
junk = st.lists(st.sampled_from([b"", b"junk", b"\0\0\0\0", b"x" * 3_000, b"\xfe\x80"]), max_size=2).map(
    lambda lines: b"".join(line + b"\r\n" for line in lines)
)
newlines = st.sampled_from([b"\r\n", b"\n"])


def parts(kinds: list[Kind], said: st.SearchStrategy[str] = lengths) -> st.SearchStrategy[list[Part]]:
    padding = st.sampled_from([b"", b"", b"\0\0\0"])
    one = st.builds(Part, st.sampled_from(kinds), said, newlines, junk, st.booleans(), padding)
    return st.lists(one, min_size=1, max_size=6)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """The bytes in pieces."""
    at = sorted({place % (len(data) + 1) for place in places})
    return [data[begin:end] for begin, end in zip([0, *at], [*at, len(data)], strict=True)]


def read(pieces: list[bytes], boundary: str = "frame", most: int = MOST) -> tuple[list[bytes], MultipartReader]:
    reader = MultipartReader(boundary, most)
    return [one for piece in pieces for one in reader.feed(piece)], reader


places = st.lists(st.integers(0, 1 << 16), max_size=30)


@given(
    parts(["picture", "boundary_inside", "text", "empty", "cut"]),
    places,
    st.sampled_from(["frame", "--frame", "other", ""]),
)
def test_any_cut_of_the_same_bytes_gives_the_same(written: list[Part], where: list[int], declared: str) -> None:
    wire = b"".join(part.wire(number, b"frame") for number, part in enumerate(written))
    whole, one = read([wire], declared)
    pieces, other = read(cut(wire, where), declared)
    single, _ = read([wire[at : at + 1] for at in range(len(wire))], declared)
    assert whole == pieces == single
    assert (one.too_big, one.others, one.kept) == (other.too_big, other.others, other.kept)


@given(st.binary(max_size=3_000), places)
def test_any_bytes_at_all_are_read_the_same_however_they_are_cut(data: bytes, where: list[int]) -> None:
    wire = data + b"\r\n--frame\r\nContent-Type: image/jpeg\r\n\r\n" + data
    assert read([wire], most=1_000)[0] == read(cut(wire, where), most=1_000)[0]


@given(parts(["picture", "boundary_inside"]), places)
def test_every_picture_comes_unchanged_and_at_once_whatever_its_stated_length(
    written: list[Part], where: list[int]
) -> None:
    wire = b"preamble\r\n\r\n" + b"".join(part.wire(number, b"frame") for number, part in enumerate(written))
    wire += b"--frame\r\n" + b" " * 1_000
    found, _ = read(cut(wire, where))
    expected = [part.body(number, b"frame") for number, part in enumerate(written)]
    assert [one[: len(body)] for one, body in zip(found, expected, strict=True)] == expected
    assert all(not one[len(body) :].strip(b"\0\r\n") for one, body in zip(found, expected, strict=True))


@given(parts(["picture", "cut", "cut_and_ended", "text", "empty"], st.sampled_from(["right", "none"])), places)
def test_what_is_no_whole_picture_costs_no_other_one(written: list[Part], where: list[int]) -> None:
    wire = b"".join(part.wire(number, b"frame") for number, part in enumerate(written)) + b"--frame--\r\n"
    found, _ = read(cut(wire, where))
    whole = [part.body(number, b"frame") for number, part in enumerate(written) if part.kind == "picture"]
    kept = [one.rstrip(b"\0") for one in found]
    assert [one for one in kept if one in whole] == whole
    assert not any(b"temperature" in one for one in found)


@given(parts(["picture"]), st.integers(30, 200), places)
def test_what_is_too_big_is_dropped_and_little_of_it_kept(written: list[Part], most: int, where: list[int]) -> None:
    small = b"\xff\xd8\xff\xd9"
    wire = b"".join(part.wire(number, b"frame") for number, part in enumerate(written))
    wire += b"--frame\r\nContent-Type: image/jpeg\r\n\r\n" + small + b"\r\n"
    reader = MultipartReader("frame", most)
    pieces = [wire[at : at + 50] for at in range(0, len(wire), 50)]
    found: list[bytes] = []
    for piece in pieces:
        found += reader.feed(piece)
        assert reader.kept <= most + 1_100
    assert found == [small]
    assert reader.too_big == len(written)
    assert read(cut(wire, where), most=most)[0] == found


@pytest.mark.parametrize(
    ("declared", "sent"),
    [
        ("frame", b"--frame"),
        ("--frame", b"--frame"),
        ("--frame", b"----frame"),
        ("frame", b"frame"),
        ("declared", b"--sent"),
        ("", b"--frame"),
    ],
)
@pytest.mark.parametrize("length", [True, False])
def test_a_boundary_is_known_with_and_without_its_dashes(declared: str, sent: bytes, *, length: bool) -> None:
    bodies = [picture(str(number)) for number in range(3)]
    wire = b"".join(
        sent + b"\r\nContent-Type: image/jpeg\r\n"
        b"" + (b"Content-Length: %d\r\n" % len(body) if length else b"") + b"\r\n" + body + b"\r\n"
        for body in bodies
    )
    assert read([wire], declared)[0] == bodies
    # A part that breaks off ends at the boundary as well.
    broken = wire.replace(bodies[1], bodies[1][:-30])
    assert [one for one in read([broken], declared)[0] if one in bodies] == [bodies[0], bodies[2]]


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/x-mixed-replace; boundary=frame", "frame"),
        ('multipart/x-mixed-replace;boundary="--my frame"; charset=x', "--my frame"),
        ("multipart/x-mixed-replace; Boundary = 'frame'", "frame"),
        ("multipart/x-mixed-replace;boundary=--frame ; x=y", "--frame"),
        ("multipart/x-mixed-replace", ""),
    ],
)
def test_the_declared_boundary(content_type: str, boundary: str) -> None:
    assert boundary_of(content_type) == boundary


def test_a_picture_without_a_length_does_not_wait_for_the_next_one() -> None:
    body = picture("now")
    found, reader = read([b"--frame\r\nContent-Type: image/jpeg\r\n\r\n" + body])
    assert found == [body]
    assert reader.kept == 0


def test_after_one_wrong_length_pictures_do_not_wait_for_it() -> None:
    bodies = [picture(str(number)) for number in range(3)]
    reader = MultipartReader("frame", MOST)
    head = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"
    assert reader.feed(head % (len(bodies[0]) + 40) + bodies[0] + b"\r\n") == []
    for before, body in itertools.pairwise(bodies):
        found = reader.feed(head % (len(body) + 40) + body + b"\r\n")
        assert found == ([before, body] if before is bodies[0] else [body])


def test_parts_with_a_status_line_without_a_boundary_and_without_an_empty_line() -> None:
    body = picture("x")
    assert read([b"--frame\r\nHTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n\r\n" + body + b"\r\n"])[0] == [body]
    assert read([b"--frame\r\nContent-Type: image/jpeg\r\n" + body + b"\r\n"])[0] == [body]
    assert read([(b"Content-Type: image/jpeg\r\n\r\n" + body + b"\r\n") * 2])[0] == [body] * 2


def test_headers_without_an_end_are_no_part() -> None:
    body = picture("x")
    endless = b"--frame\r\n" + b"X-Filler: y\r\n" * 100 + b"\r\n"
    assert read([endless + b"--frame\r\nContent-Type: image/jpeg\r\n\r\n" + body])[0] == [body]


def test_lines_that_are_too_long_are_no_headers() -> None:
    body = picture("x")
    wire = b"--frame\r\nX-Filler: " + b"y" * 100_000
    reader = MultipartReader("frame", MOST)
    for at in range(0, len(wire), 1_000):
        assert reader.feed(wire[at : at + 1_000]) == []
        assert reader.kept <= 2_100
    assert reader.feed(b"\r\n\r\n--frame\r\nContent-Type: image/jpeg\r\n\r\n" + body) == [body]
