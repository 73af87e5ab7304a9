// A camera's pictures, and sound, to a stream by WebRTC (WHIP): one connection, until it ends.

import { iceServers } from "./ice.js";
import { begin, pause, Refusal, roundTripMs } from "./session.js";

const CONNECT_MS = 8000;
const LOOK_MS = 500;
const REPORT_MS = 1000;
const SILENT_MS = 2500; // reports of who receives come each second or so
const GONE = 410;

// Publishes `track`, and `sound` where that is no null, until `stop` is aborted or the
// connection ends.
//
// onQuality({fps, rttMs, lostPercent, codec}) is called each second while pictures go.
// Throws why it ended; a Refusal with status 410 where another publisher took over.
export async function publish(name, { track, sound }, key, stop, onQuality) {
  const servers = await iceServers(`/streams/${name}/whip`);
  const connection = new RTCPeerConnection({ iceServers: servers });
  let session = null;
  const leave = () => {
    // In this order, or the other side may have ended it by itself before it is told.
    Promise.resolve(session?.end()).finally(() => connection.close());
    session = null;
  };
  addEventListener("pagehide", leave);
  try {
    const { sender } = connection.addTransceiver(track, { direction: "sendonly" });
    if (sound) connection.addTransceiver(sound, { direction: "sendonly" });
    const headers = key ? { Authorization: `Bearer ${key}` } : {};
    session = await begin(connection, `/streams/${name}/whip`, stop, headers);
    await preferMotion(sender);
    await look(connection, session, stop, onQuality);
  } finally {
    removeEventListener("pagehide", leave);
    leave();
  }
}

// Where the network is too slow, pictures become coarser rather than rarer.
async function preferMotion(sender) {
  const parameters = sender.getParameters();
  parameters.degradationPreference = "maintain-framerate";
  await sender.setParameters(parameters).catch(() => {}); // not every browser knows it
}

async function look(connection, session, stop, onQuality) {
  const since = performance.now();
  let before = { framesSent: 0, at: since };
  let heard = { report: null, at: since };
  for (;;) {
    await pause(LOOK_MS, stop);
    if (stop.aborted) return;
    const now = performance.now();
    const found = await numbers(connection);
    if (found.report !== heard.report) heard = { report: found.report, at: now };
    const isBroken = ["failed", "closed", "disconnected"].includes(connection.connectionState);
    if (heard.report === null && now - since > CONNECT_MS) throw new Error("no connection by WebRTC");
    if (isBroken || (heard.report !== null && now - heard.at > SILENT_MS)) await check(session);
    if (isBroken && connection.connectionState !== "disconnected") throw new Error("the connection was lost");
    if (heard.report === null || now - before.at < REPORT_MS) continue;
    const fps = ((found.framesSent - before.framesSent) * 1000) / (now - before.at);
    onQuality({ ...found, fps });
    before = { framesSent: found.framesSent, at: now };
  }
}

// The worker at the other end may be another one by now, and another may publish.
async function check(session) {
  const status = await session.tell().catch(() => 0);
  if (status === GONE) throw new Refusal(GONE, "somebody else publishes to this stream now");
  if (status >= 400) throw new Error("the connection was lost");
}

async function numbers(connection) {
  const report = await connection.getStats();
  const found = { framesSent: 0, lostPercent: 0, report: null, rttMs: roundTripMs(report), codec: "" };
  for (const one of report.values()) {
    if (one.type === "outbound-rtp" && one.kind === "video") {
      found.framesSent = one.framesSent ?? 0;
      found.codec = report.get(one.codecId)?.mimeType?.split("/")[1] ?? "";
    }
    if (one.type === "remote-inbound-rtp" && one.kind === "video") {
      found.lostPercent = 100 * (one.fractionLost ?? 0);
      found.report = one.timestamp;
    }
  }
  return found;
}
