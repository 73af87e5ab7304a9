// The page at /watch/NAME: by WebRTC, and by MJPEG where that does not come through.

import { api } from "./api.js";
import { $, say, sayMissing, sentence, soundTitle } from "./dom.js";
import { Player } from "./player.js";
import { pause, qualityLine } from "./session.js";
import { watch } from "./whep.js";

const RETRY_MS = 700;
const FALLBACK_MS = 30_000; // of MJPEG before WebRTC is tried again
const MOST_FAILURES = 2;
const SILENCE_MS = 3000; // until it is asked again why there is no sound
const SILENCES = { none: "No sound", off: "Sound off" };

const name = decodeURIComponent(location.pathname.split("/").pop());
const video = $("video");
const player = new Player(name, $("canvas"), showMjpeg);
let trouble = "Connecting…";
let isMissing = false;
let silenceAskedAt = -Infinity;

$("name").textContent = name;
document.title = `${name} · ooblexd`;
$("full").addEventListener("click", () => {
  if (document.fullscreenElement) document.exitFullscreen();
  else document.documentElement.requestFullscreen?.();
});
$("sound").addEventListener("click", () => {
  video.muted = !video.muted;
  showSound();
});
video.addEventListener("resize", explain); // its first picture is there
for (;;) await round();

async function round() {
  for (let failures = 0; failures < MOST_FAILURES;) {
    const stop = new AbortController();
    let hasShown = false;
    let cost = 1;
    try {
      await watch(name, video, stop.signal, (quality) => {
        hasShown = true;
        showQuality(quality);
      });
    } catch (error) {
      trouble = error.message;
      isMissing = error.status === 404;
      if (error.status === 503) cost = 0.2; // MJPEG would not come sooner
      if (isMissing) cost = 0; // nor ever, but somebody may add it
      explain();
    }
    say($("quality"), "");
    say($("silence"), "");
    $("sound").hidden = true;
    failures = hasShown ? 0 : failures + cost;
    await pause(RETRY_MS);
  }
  player.play("stream");
  await pause(FALLBACK_MS);
  player.play("off");
}

function showQuality(quality) {
  say($("quality"), qualityLine(quality));
  $("sound").hidden = !quality.hasSound;
  if (quality.hasSound) say($("silence"), "");
  else explainSilence();
  showSound();
  explain();
}

// Says, beside the picture, whether there is no sound or whether it is not passed on.
async function explainSilence() {
  if (performance.now() - silenceAskedAt < SILENCE_MS) return;
  silenceAskedAt = performance.now();
  const stream = await api("GET", `/api/v1/streams/${name}`).catch(() => null);
  if (!stream || video.hidden || !$("sound").hidden) return;
  say($("silence"), SILENCES[stream.sound.state] ?? "");
  $("silence").title = soundTitle(stream.sound);
}

// Browsers let a page make a noise only once somebody has asked for it.
function showSound() {
  const words = video.muted ? "Turn the sound on" : "Turn the sound off";
  const button = $("sound");
  button.title = words;
  button.setAttribute("aria-label", words);
  button.setAttribute("aria-pressed", String(!video.muted));
}

function showMjpeg(shown) {
  const age = shown?.ageMs === null ? "" : ` · ${Math.round(shown?.ageMs)} ms old`;
  say($("quality"), shown ? `MJPEG${age}` : "");
  explain();
}

function explain() {
  const isShown = !video.hidden || !$("canvas").hidden;
  if (isShown) say($("waiting"), "");
  else if (isMissing) sayMissing($("waiting"), trouble);
  else say($("waiting"), sentence(trouble));
}
