"""A backend that makes calls, bills them and keeps their transcripts. Needs: pip install standardwebhooks."""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote
from urllib.request import Request, urlopen

from standardwebhooks import Webhook, WebhookVerificationError

STAGEDOOR = os.environ.get("STAGEDOOR_URL", "http://127.0.0.1:8080")
KEY = os.environ["STAGEDOOR_KEY"]  # scopes: sessions:write, webhooks:write, transcripts:read
PORT = int(os.environ.get("PORT", "9000"))


def stagedoor(method: str, path: str, body: dict | None = None) -> bytes:
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    with urlopen(Request(f"{STAGEDOOR}/api/v1{path}", data, headers, method=method)) as answer:
        return answer.read()


class Backend(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """A visitor wants to talk: announce a session and send the browser into it."""
        if self.path != "/":
            self.answer(404)
            return
        wish = {"transcript": "speech_and_chat", "limits": {"maxDuration": "1h", "departureTimeout": "2s"}}
        session = json.loads(stagedoor("POST", "/apps/live/sessions", wish))["data"]
        token = quote(session["tokens"][0]["token"])
        self.answer(303, Location=f"{STAGEDOOR}/meet/live/{session['livekitRoom']}?token={token}")

    def do_POST(self) -> None:
        """Stagedoor says what happened. It may say it twice, with the same id."""
        try:
            message = WEBHOOK.verify(self.rfile.read(int(self.headers["Content-Length"])), dict(self.headers))
        except WebhookVerificationError:
            self.answer(401)
            return
        data = message["data"]
        if message["type"] == "session.ended":
            print("bill", data["sessionId"], data["usage"]["participantMinutes"], flush=True)
        elif message["type"] == "transcript.archived":
            text = stagedoor("GET", f"/sessions/{data['sessionId']}/transcript?format=txt").decode()
            print("transcript", data["sessionId"], json.dumps(text), flush=True)
        self.answer(204)

    def answer(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


server = ThreadingHTTPServer(("127.0.0.1", PORT), Backend)
hook = {"url": f"http://127.0.0.1:{PORT}/hooks", "types": ["session.ended", "transcript.archived"]}
WEBHOOK = Webhook(json.loads(stagedoor("POST", "/apps/live/webhooks", hook))["data"]["secret"])
print(f"open http://127.0.0.1:{PORT}/", flush=True)
server.serve_forever()
