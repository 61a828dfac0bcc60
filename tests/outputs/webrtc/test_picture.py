"""What a bridge makes of a JPEG is the same way up as what a browser shows of it."""

from __future__ import annotations

import io

import pytest
from PIL import Image, ImageChops, ImageOps, ImageStat

from stagedoor.outputs.webrtc.picture import PictureDecoder


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("width", "height"), [(320, 240), (321, 241)])
def test_a_picture_is_turned_as_its_tag_says(orientation: int, width: int, height: int) -> None:
    """As Pillow turns it: green above, blue on the left."""
    stored = Image.new("RGB", (width, height), (200, 30, 30))
    stored.paste((30, 180, 30), (0, 0, width, 80))
    stored.paste((30, 30, 200), (0, 80, 80, height))
    exif = Image.Exif()
    exif[0x0112] = orientation
    out = io.BytesIO()
    stored.save(out, "JPEG", quality=95, subsampling="4:2:0", exif=exif.tobytes())
    frame = PictureDecoder().decode(out.getvalue())
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(out.getvalue())))
    assert (frame.width, frame.height) == (expected.width & ~1, expected.height & ~1)
    shown = Image.fromarray(frame.to_ndarray(format="rgb24"))
    difference = ImageStat.Stat(ImageChops.difference(expected.resize(shown.size), shown))
    assert max(difference.mean) < 8
