// What watching and publishing by WebRTC have in common: how a session is begun, what
// the daemon says when it refuses, and numbers of how good the connection is.

// Sends the offer of `connection` to `path` and takes the answer.
//
// Returns a Session. Throws why there is none.
export async function begin(connection, path, stop, headers = {}) {
  const candidates = new Candidates(connection);
  await connection.setLocalDescription(await connection.createOffer());
  const response = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/sdp", ...headers },
    body: connection.localDescription.sdp,
    signal: stop,
  });
  if (!response.ok) throw new Refusal(response.status, await detail(response));
  const session = new Session(response.headers.get("location"), response.headers.get("etag"));
  candidates.begin(session);
  await connection.setRemoteDescription({ type: "answer", sdp: await response.text() });
  return session;
}

export class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

class Session {
  #path;
  #tag;

  constructor(path, tag) {
    this.#path = path;
    this.#tag = tag;
  }

  // Tells candidates, or without any asks whether the session is still there: its status.
  async tell(fragment = "") {
    const type = "application/trickle-ice-sdpfrag";
    const headers = { "Content-Type": type, "If-Match": this.#tag };
    return (await fetch(this.#path, { method: "PATCH", headers, body: fragment })).status;
  }

  async end() {
    await fetch(this.#path, { method: "DELETE", keepalive: true }).catch(() => {});
  }
}

// Sends our candidates as they are found (trickle ICE, RFC 8840).
class Candidates {
  #waiting = [];
  #session = null;

  constructor(connection) {
    connection.addEventListener("icecandidate", ({ candidate }) => {
      if (!candidate?.candidate) return;
      this.#waiting.push(`a=mid:${candidate.sdpMid}\r\na=${candidate.candidate}`);
      this.#send();
    });
  }

  begin(session) {
    this.#session = session;
    this.#send();
  }

  #send() {
    if (!this.#session || this.#waiting.length === 0) return;
    // Without them the browser's own attempts may still do.
    this.#session.tell(`${this.#waiting.splice(0).join("\r\n")}\r\n`).catch(() => {});
  }
}

// Milliseconds to the other side and back, out of a report of getStats; null if unknown.
export function roundTripMs(report) {
  for (const one of report.values()) {
    if (one.type === "candidate-pair" && one.nominated && one.currentRoundTripTime !== undefined) {
      return one.currentRoundTripTime * 1000;
    }
  }
  return null;
}

// How good a connection is, in a line.
export function qualityLine({ fps, rttMs, lostPercent, codec, ageMs = null, faces = 0 }) {
  const age = ageMs === null ? "" : ` · ${Math.round(ageMs + (rttMs ?? 0) / 2)} ms old`;
  const rtt = rttMs === null ? "" : ` · ${Math.round(rttMs)} ms round trip`;
  const lost = lostPercent >= 0.1 ? ` · ${lostPercent.toFixed(1)} % lost` : "";
  const found = faces > 0 ? ` · ${faces} ${faces === 1 ? "face" : "faces"}` : "";
  return `${codec} · ${Math.round(fps)} fps${age}${rtt}${lost}${found}`;
}

export function pause(ms, stop) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    stop?.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
  });
}

async function detail(response) {
  try {
    return (await response.json()).detail ?? response.statusText;
  } catch {
    return response.statusText; // not ours
  }
}
