// A backend that makes calls, bills them and keeps what was said. Node 20 or newer, nothing to install.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';

const { STAGEDOOR_URL = 'http://127.0.0.1:8080', STAGEDOOR_KEY, PORT = '9000' } = process.env;
let secret; // STAGEDOOR_KEY's scopes: sessions:write, webhooks:write, transcripts:read

async function stagedoor(method, path, body) {
  const headers = { Authorization: `Bearer ${STAGEDOOR_KEY}`, 'Content-Type': 'application/json' };
  const answer = await fetch(`${STAGEDOOR_URL}/api/v1${path}`, { method, headers, body: body && JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`);
  return answer;
}

/** As https://www.standardwebhooks.com says: HMAC-SHA256 over id, time and body; not older than five minutes. */
function signed(headers, body) {
  const { 'webhook-id': id, 'webhook-timestamp': at, 'webhook-signature': signatures = '' } = headers;
  if (!(Math.abs(Date.now() / 1000 - Number(at)) < 300)) return false;
  const wanted = createHmac('sha256', secret).update(`${id}.${at}.`).update(body).digest();
  return signatures.split(' ').some((one) => {
    const given = Buffer.from(one.replace(/^v1,/, ''), 'base64');
    return given.length === wanted.length && timingSafeEqual(given, wanted);
  });
}

async function handle(request, body) {
  if (request.method === 'GET' && request.url === '/') {
    // Somebody wants to talk: announce a session and send the browser into it.
    const wish = { transcript: 'speech_and_chat', limits: { maxDuration: '1h', departureTimeout: '2s' } };
    const { data } = await (await stagedoor('POST', '/apps/live/sessions', wish)).json();
    const token = encodeURIComponent(data.tokens[0].token);
    return [303, { Location: `${STAGEDOOR_URL}/meet/live/${data.livekitRoom}?token=${token}` }];
  }
  if (request.method !== 'POST' || request.url !== '/hooks') return [404];
  if (!signed(request.headers, body)) return [401];
  // Stagedoor says what happened. It may say it twice, with the same id.
  const { type, data } = JSON.parse(body);
  if (type === 'session.ended') console.log('bill', data.sessionId, data.usage.participantMinutes);
  if (type === 'transcript.archived') {
    const text = await (await stagedoor('GET', `/sessions/${data.sessionId}/transcript?format=txt`)).text();
    console.log('transcript', data.sessionId, JSON.stringify(text));
  }
  return [204];
}

createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const [status, headers] = await handle(request, Buffer.concat(chunks)).catch((error) => (console.error(error), [500]));
  response.writeHead(status, headers).end();
}).listen(Number(PORT), '127.0.0.1', async () => {
  const hook = { url: `http://127.0.0.1:${PORT}/hooks`, types: ['session.ended', 'transcript.archived'] };
  const { data } = await (await stagedoor('POST', '/apps/live/webhooks', hook)).json();
  secret = Buffer.from(data.secret.replace(/^whsec_/, ''), 'base64');
  console.log(`open http://127.0.0.1:${PORT}/`);
});
