// The page at /publish/NAME: this phone's or laptop's camera in, its microphone if that is
// wanted, and what becomes of it.

import { api } from "./api.js";
import { listCameras, obstacle, openCamera, openMicrophone } from "./camera.js";
import { $, say, sayMissing, sentence } from "./dom.js";
import { pause, qualityLine } from "./session.js";
import { watch } from "./whep.js";
import { publish } from "./whip.js";

const RETRY_MS = 700;
const LOOK_MS = 1500; // whether it can be published to by now
const FINAL = [404, 409, 410]; // what another attempt would not change

const name = decodeURIComponent(location.pathname.split("/").pop());
let key = new URLSearchParams(location.search).get("token") ?? "";
let track = null;
let sound = null; // of the microphone; null where it is not wanted
let stop = null; // ends what is under way; null while nothing is

$("name").textContent = name;
document.title = `Publish ${name} · ooblexd`;
$("controls").addEventListener("submit", (event) => {
  event.preventDefault();
  if (stop) end("");
  else start();
});
$("camera").addEventListener("change", () => change());
$("microphone").addEventListener("change", () => { if (stop) change(); });
begin();

// Offers to publish, as soon as that can be.
async function begin() {
  $("go").hidden = $("hears").hidden = true;
  while (!(await mayPublish())) await pause(LOOK_MS);
  $("go").hidden = $("hears").hidden = false;
  tell("your camera's pictures come back here, once you publish them");
}

// Whether it may be tried; tells why not.
async function mayPublish() {
  let stream;
  try {
    stream = await api("GET", `/api/v1/streams/${encodeURIComponent(name)}`);
  } catch (problem) {
    if (problem.status !== 404) return obstacle() === ""; // the attempt will tell
    sayMissing($("waiting"), problem.message);
    return false;
  }
  const why = otherWay(stream) || obstacle();
  if (why) tell(why);
  return why === "";
}

// How a stream is published to whose source takes no browser; empty where it does.
function otherWay({ source, publish_key }) {
  if (/^whip:/i.test(source)) return "";
  const key = publish_key ? "?token= and its publish key" : "";
  const address = addressOf(source);
  const here = address ? `; others publish to ${address}${key && ` with ${key}`}` : "";
  return `browsers cannot publish to ${name}: its source is ${source}${here}. For browsers, ` +
    'and OBS by WHIP, set its source to "whip:"';
}

// Where a source listens that is published to by RTMP or RTSP; empty for others.
function addressOf(source) {
  const found = /^(rtmp|rtsp)-listen:\/\/(\[[^\]]*\]|[^:/]*)(:\d+)?\/(.*?)\/?$/i.exec(source);
  if (!found) return "";
  const [, protocol, host, port, path] = found;
  const isAny = ["0.0.0.0", "[::]", ""].includes(host);
  const folder = protocol.toLowerCase() === "rtmp" && !path.includes("/") ? "live/" : "";
  const standard = { rtmp: ":1935", rtsp: ":8554" }[protocol.toLowerCase()];
  return `${protocol}://${isAny ? location.hostname : host}${port ?? standard}/${folder}${path}`;
}

async function start() {
  key = $("key").value || key;
  stop = new AbortController();
  $("go").textContent = "Stop";
  const { signal } = stop;
  try {
    await useCamera();
  } catch (error) {
    if (!signal.aborted) end(error.message);
    return;
  }
  if (signal.aborted) {
    track.stop();
    sound?.stop();
    return;
  }
  keepPublishing(signal);
  keepWatching(signal);
}

// Ends it, and says why.
function end(why) {
  stop?.abort();
  stop = null;
  track?.stop();
  sound?.stop();
  $("preview").srcObject = null;
  $("preview-box").hidden = true;
  $("go").textContent = "Publish";
  say($("quality"), "");
  say($("told"), "");
  tell(why || "you publish nothing");
}

async function change() {
  end("");
  await start();
}

async function useCamera() {
  tell("waiting for the camera");
  track?.stop(); // phones open one at a time
  sound?.stop();
  track = await openCamera($("camera").value);
  sound = $("microphone").checked ? await openMicrophone() : null;
  $("preview").srcObject = new MediaStream([track]);
  $("preview-box").hidden = false;
  // People know themselves from mirrors.
  $("preview-box").classList.toggle("mirrored", track.getSettings().facingMode !== "environment");
  track.addEventListener("ended", () => { if (stop) end("the camera was taken away"); });
  const { deviceId } = track.getSettings();
  const before = $("camera").value;
  const cameras = await listCameras();
  $("camera").replaceChildren(...cameras.map(([id, label]) => new Option(label, id)));
  $("camera").value = cameras.some(([id]) => id === before) ? before : deviceId;
  if ($("camera").selectedIndex < 0) $("camera").selectedIndex = 0;
  $("camera").hidden = cameras.length < 2;
}

async function keepPublishing(signal) {
  while (!signal.aborted) {
    try {
      tell("connecting");
      await publish(name, { track, sound }, key, signal, (quality) => {
        say($("quality"), qualityLine(quality));
        tell("waiting for the picture to come back");
        say($("told"), "Published");
      });
    } catch (error) {
      if (signal.aborted) return;
      say($("quality"), "");
      say($("told"), "");
      if (error.status === 401) askForKey();
      else if (FINAL.includes(error.status)) end(error.message);
      else tell(error.message);
    }
    await pause(RETRY_MS, signal);
  }
}

// Another tells itself why it does not show anything, by the daemon's slate.
async function keepWatching(signal) {
  while (!signal.aborted) {
    await watch(name, $("video"), signal, () => {}).catch(() => {});
    await pause(RETRY_MS, signal);
  }
}

function askForKey() {
  const wasGiven = key !== "";
  key = "";
  $("key").value = "";
  $("key").hidden = false;
  end(wasGiven ? "this is not its publish key" : "this stream wants its publish key");
  $("key").focus();
}

function tell(text) {
  say($("waiting"), text ? sentence(text) : "");
}
