// A stream by WebRTC (WHEP) into a <video>: one connection, until it ends.

const CONNECT_MS = 6000;
const SILENT_MS = 2500; // as with MJPEG: a picture that is old is never left standing
const LOOK_MS = 200;
const REPORT_MS = 1000;

// Shows the stream until `stop` is aborted or nothing comes any more.
//
// onQuality({fps, rttMs, lostPercent, codec}) is called each second while pictures come.
// Throws why it ended.
export async function watch(name, video, stop, onQuality) {
  const connection = new RTCPeerConnection();
  let session = null;
  const candidates = new Candidates(connection);
  const leave = () => {
    if (session) fetch(session, { method: "DELETE", keepalive: true }).catch(() => {});
    session = null;
    connection.close();
  };
  addEventListener("pagehide", leave);
  try {
    connection.addTransceiver("video", { direction: "recvonly" });
    connection.addEventListener("track", ({ track, receiver }) => {
      // The newest picture, not a smooth one: no more is buffered than must be.
      if ("jitterBufferTarget" in receiver) receiver.jitterBufferTarget = 0;
      video.srcObject = new MediaStream([track]);
    });
    await connection.setLocalDescription(await connection.createOffer());
    const response = await fetch(`/streams/${name}/whep`, {
      method: "POST",
      headers: { "Content-Type": "application/sdp" },
      body: connection.localDescription.sdp,
      signal: stop,
    });
    if (!response.ok) throw new Error(await detail(response));
    session = response.headers.get("location");
    candidates.begin(session, response.headers.get("etag"));
    await connection.setRemoteDescription({ type: "answer", sdp: await response.text() });
    await look(connection, video, stop, onQuality);
  } finally {
    video.hidden = true;
    video.srcObject = null;
    removeEventListener("pagehide", leave);
    leave();
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

  begin(session, tag) {
    this.#session = { session, tag };
    this.#send();
  }

  #send() {
    if (!this.#session || this.#waiting.length === 0) return;
    const { session, tag } = this.#session;
    const body = `${this.#waiting.splice(0).join("\r\n")}\r\n`;
    const headers = { "Content-Type": "application/trickle-ice-sdpfrag", "If-Match": tag };
    // Without them the browser's own attempts may still do.
    fetch(session, { method: "PATCH", headers, body }).catch(() => {});
  }
}

async function look(connection, video, stop, onQuality) {
  const since = performance.now();
  let before = { framesDecoded: 0, packetsLost: 0, packetsReceived: 0, at: since };
  let framesDecoded = 0;
  let movedAt = null;
  for (;;) {
    await pause(LOOK_MS, stop);
    if (stop.aborted) return;
    const now = performance.now();
    const found = await numbers(connection);
    if (found.framesDecoded > framesDecoded) movedAt = now;
    framesDecoded = found.framesDecoded;
    video.hidden = movedAt === null || now - movedAt > SILENT_MS;
    if (movedAt === null && now - since > CONNECT_MS) throw new Error("no connection by WebRTC");
    if (movedAt !== null && video.hidden) throw new Error("the connection was lost");
    if (video.hidden || now - before.at < REPORT_MS) continue;
    onQuality(quality(found, before, now - before.at));
    before = { ...found, at: now };
  }
}

async function numbers(connection) {
  const found = { framesDecoded: 0, packetsLost: 0, packetsReceived: 0, rttMs: null, codec: "" };
  const report = await connection.getStats();
  for (const one of report.values()) {
    if (one.type === "inbound-rtp" && one.kind === "video") {
      found.framesDecoded = one.framesDecoded ?? 0;
      found.packetsLost = one.packetsLost ?? 0;
      found.packetsReceived = one.packetsReceived ?? 0;
      found.codec = report.get(one.codecId)?.mimeType?.split("/")[1] ?? "";
    }
    if (one.type === "candidate-pair" && one.nominated && one.currentRoundTripTime !== undefined) {
      found.rttMs = one.currentRoundTripTime * 1000;
    }
  }
  return found;
}

function quality(now, before, ms) {
  const lost = Math.max(now.packetsLost - before.packetsLost, 0);
  const all = lost + now.packetsReceived - before.packetsReceived;
  return {
    fps: ((now.framesDecoded - before.framesDecoded) * 1000) / ms,
    rttMs: now.rttMs,
    lostPercent: all > 0 ? (100 * lost) / all : 0,
    codec: now.codec,
  };
}

async function detail(response) {
  try {
    return (await response.json()).detail ?? response.statusText;
  } catch {
    return response.statusText; // not ours
  }
}

function pause(ms, stop) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    stop.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
  });
}
