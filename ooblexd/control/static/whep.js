// A stream by WebRTC (WHEP) into a <video>: one connection, until it ends.

import { iceServers } from "./ice.js";
import { begin, pause, roundTripMs } from "./session.js";

const CONNECT_MS = 6000;
const SILENT_MS = 2500; // as with MJPEG: a picture that is old is never left standing
const DOUBTFUL_MS = 700; // then the daemon is asked whether it knows of us; at once if it closes
const ASK_EVERY_MS = 500;
const LOOK_MS = 200;
const REPORT_MS = 1000;
const AGE_EVERY_MS = 400;

// Shows the stream until `stop` is aborted or nothing comes any more.
//
// onQuality({fps, rttMs, lostPercent, codec, hasSound, ageMs, faces}) is called each second
// while pictures come; ageMs is how old they were when they left, null where that is not
// known, and faces how many an effect has found in the newest.
// Throws why it ended.
export async function watch(name, video, stop, onQuality) {
  const path = `/streams/${name}/whep`;
  const connection = new RTCPeerConnection({ iceServers: await iceServers(path) });
  let session = null;
  const telling = new Telling(connection);
  const leave = () => {
    // In this order, or the other side may have ended it by itself before it is told.
    Promise.resolve(session?.end()).finally(() => connection.close());
    session = null;
  };
  addEventListener("pagehide", leave);
  try {
    connection.addTransceiver("video", { direction: "recvonly" });
    connection.addTransceiver("audio", { direction: "recvonly" });
    const media = new MediaStream();
    connection.addEventListener("track", ({ track, receiver }) => {
      // The newest picture, not a smooth one: no more is buffered than must be.
      if ("jitterBufferTarget" in receiver) receiver.jitterBufferTarget = 0;
      media.addTrack(track);
      video.srcObject = media;
    });
    session = await begin(connection, path, stop);
    const onLook = (found) => onQuality({ ...found, ...telling.newest() });
    await look(connection, session, video, stop, onLook);
  } finally {
    video.hidden = true;
    video.srcObject = null;
    removeEventListener("pagehide", leave);
    leave();
  }
}

const NOTHING = { ageMs: null, faces: 0 };

// How old the pictures are and what is in them, as the daemon tells by a data channel.
class Telling {
  #newest = NOTHING;

  constructor(connection) {
    // What is late is of no use.
    const channel = connection.createDataChannel("ooblexd", { ordered: false, maxRetransmits: 0 });
    channel.addEventListener("open", () => channel.send(JSON.stringify({ every_ms: AGE_EVERY_MS })));
    channel.addEventListener("message", ({ data }) => {
      const { age_ms: ageMs, detections } = JSON.parse(data);
      const faces = (detections ?? []).filter(({ label }) => label === "face").length;
      this.#newest = { ageMs: ageMs ?? null, faces };
    });
  }

  // The newest since it was asked for last.
  newest() {
    const newest = this.#newest;
    this.#newest = NOTHING;
    return newest;
  }
}

async function look(connection, session, video, stop, onQuality) {
  const existence = new Existence(connection, session);
  const since = performance.now();
  let before = { framesDecoded: 0, packetsLost: 0, packetsReceived: 0, soundPackets: 0, at: since };
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
    if (movedAt !== null && now - movedAt > DOUBTFUL_MS) existence.ask(now);
    if (existence.isOver) throw new Error("the connection was lost");
    if (movedAt !== null && video.hidden) throw new Error("the connection was lost");
    if (video.hidden || now - before.at < REPORT_MS) continue;
    onQuality(quality(found, before, now - before.at));
    before = { ...found, at: now };
  }
}

// Whether the daemon still has our session.
//
// Who stops in order says goodbye (DTLS). Of a worker that was killed a browser learns after
// some seconds only (ICE), while its successor knows that it has no such session.
class Existence {
  isOver = false;
  #session;
  #askedAt = -Infinity;

  constructor(connection, session) {
    this.#session = session;
    const transport = connection.getReceivers()[0]?.transport;
    transport?.addEventListener("statechange", () => {
      if (transport.state === "closed" || transport.state === "failed") this.isOver = true;
    });
  }

  async ask(now) {
    if (now - this.#askedAt < ASK_EVERY_MS) return;
    this.#askedAt = now;
    try {
      const status = await this.#session.tell();
      if (status === 404 || status === 503) this.isOver = true;
    } catch {
      // The web server is being replaced: that ends no connection.
    }
  }
}

async function numbers(connection) {
  const report = await connection.getStats();
  const rttMs = roundTripMs(report);
  const found = { framesDecoded: 0, packetsLost: 0, packetsReceived: 0, rttMs, codec: "", soundPackets: 0 };
  for (const one of report.values()) {
    if (one.type === "inbound-rtp" && one.kind === "audio") found.soundPackets = one.packetsReceived ?? 0;
    if (one.type === "inbound-rtp" && one.kind === "video") {
      found.framesDecoded = one.framesDecoded ?? 0;
      found.packetsLost = one.packetsLost ?? 0;
      found.packetsReceived = one.packetsReceived ?? 0;
      found.codec = report.get(one.codecId)?.mimeType?.split("/")[1] ?? "";
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
    hasSound: now.soundPackets > before.soundPackets, // it may stop, and come back
  };
}
