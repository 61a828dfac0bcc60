"""A WHIP client in a real Chromium page: makes offers of a fake camera, and takes answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from playwright.async_api import Page

_OFFER: Final = """async ({ gather, kinds, layers }) => {
  const pc = window.pc = new RTCPeerConnection();
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
  for (const track of stream.getTracks()) {
    const encodings = track.kind === 'video' && layers > 1
      ? [...Array(layers).keys()].map(at => ({
        rid: 'qhf'[at], scaleResolutionDownBy: 2 ** (layers - 1 - at), maxBitrate: 60_000 * (at + 1),
      })) : [];
    const options = { direction: 'sendonly', streams: [stream] };
    if (encodings.length) options.sendEncodings = encodings;
    if (kinds.includes(track.kind)) pc.addTransceiver(track, options);
  }
  await pc.setLocalDescription();
  if (gather) {
    await new Promise(resolve => {
      const check = () => pc.iceGatheringState === 'complete' ? resolve() : setTimeout(check, 20);
      check();
    });
  }
  return pc.localDescription.sdp;
}"""
_CONNECTED: Final = """async answer => {
  if (answer) await pc.setRemoteDescription({ type: 'answer', sdp: answer });
  return await new Promise(resolve => {
    const check = () => ['connected', 'failed', 'closed'].includes(pc.connectionState)
      ? resolve(pc.connectionState) : setTimeout(check, 20);
    check();
  });
}"""
_RESTART: Final = """async () => {
  await pc.setLocalDescription(await pc.createOffer({ iceRestart: true }));
  return pc.localDescription.sdp;
}"""
_FINISH_RESTART: Final = """async fragment => {
  const value = name => fragment.match(new RegExp(`a=${name}:(.*?)\\\\r?\\\\n`))[1];
  const candidates = fragment.match(/a=candidate:.*\\r?\\n/g) || [];
  let answer = pc.currentRemoteDescription.sdp
    .replace(/a=candidate:.*\\r?\\n/g, '').replace(/a=end-of-candidates\\r?\\n/g, '')
    .replace(/a=ice-ufrag:.*\\r?\\n/g, `a=ice-ufrag:${value('ice-ufrag')}\\r\\n`)
    .replace(/a=ice-pwd:.*\\r?\\n/g, `a=ice-pwd:${value('ice-pwd')}\\r\\n`)
    .replace(/a=mid:0\\r?\\n/, `a=mid:0\\r\\n${candidates.join('')}`);
  await pc.setRemoteDescription({ type: 'answer', sdp: answer });
}"""
_SENT: Final = """async () => {
  let packets = 0;
  for (const report of (await pc.getStats()).values()) {
    if (report.type === 'remote-inbound-rtp' && report.kind === 'video') packets += report.packetsReceived ?? 1;
    if (report.type === 'candidate-pair' && report.nominated) packets += report.packetsSent;
  }
  return packets;
}"""


@dataclass
class WhipClient:
    """One peer connection of a page."""

    page: Page

    async def offer(self, *, gather: bool = False, kinds: tuple[str, ...] = ("audio", "video"), layers: int = 1) -> str:
        """Make an offer.

        Args:
            gather: Whether to wait until its ICE candidates are in it.
            kinds: What it sends.
            layers: How many sizes of its picture; the smallest is half of the next.
        """
        offer: str = await self.page.evaluate(_OFFER, {"gather": gather, "kinds": list(kinds), "layers": layers})
        return offer

    async def connection(self, answer: str = "") -> str:
        """Take the answer, and return the state of the connection once it is connected or has failed."""
        state: str = await self.page.evaluate(_CONNECTED, answer)
        return state

    async def restart(self) -> str:
        """Make the offer of an ICE restart."""
        offer: str = await self.page.evaluate(_RESTART)
        return offer

    async def finish_restart(self, fragment: str) -> None:
        """Take the server's fragment of an ICE restart."""
        await self.page.evaluate(_FINISH_RESTART, fragment)

    async def sent(self) -> int:
        """How many packets went out on the ICE candidate pair in use."""
        packets: int = await self.page.evaluate(_SENT)
        return packets


def credentials(offer: str) -> str:
    """The ICE credentials of an offer, as a fragment."""
    lines = offer.splitlines()
    found = [next(line for line in lines if line.startswith(name)) for name in ("a=ice-ufrag:", "a=ice-pwd:")]
    return "\r\n".join([*found, ""])
