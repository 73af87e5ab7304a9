// The page at /watch/NAME: by WebRTC, and by MJPEG where that does not come through.

import { $, say, sentence } from "./dom.js";
import { Player } from "./player.js";
import { watch } from "./whep.js";

const RETRY_MS = 700;
const FALLBACK_MS = 30_000; // of MJPEG before WebRTC is tried again
const MOST_FAILURES = 2;

const name = decodeURIComponent(location.pathname.split("/").pop());
const video = $("video");
const player = new Player(name, $("canvas"), showMjpeg);
let trouble = "Connecting…";

$("name").textContent = name;
document.title = `${name} · ooblexd`;
$("full").addEventListener("click", () => {
  if (document.fullscreenElement) document.exitFullscreen();
  else document.documentElement.requestFullscreen?.();
});
video.addEventListener("resize", explain); // its first picture is there
for (;;) await round();

async function round() {
  for (let failures = 0; failures < MOST_FAILURES;) {
    const stop = new AbortController();
    let hasShown = false;
    try {
      await watch(name, video, stop.signal, (quality) => {
        hasShown = true;
        showQuality(quality);
      });
    } catch (error) {
      trouble = error.message;
      explain();
    }
    say($("quality"), "");
    failures = hasShown ? 0 : failures + 1;
    await pause(RETRY_MS);
  }
  player.play("stream");
  await pause(FALLBACK_MS);
  player.play("off");
}

function showQuality({ fps, rttMs, lostPercent, codec }) {
  const rtt = rttMs === null ? "" : ` · ${Math.round(rttMs)} ms round trip`;
  const lost = lostPercent >= 0.1 ? ` · ${lostPercent.toFixed(1)} % lost` : "";
  say($("quality"), `${codec} · ${Math.round(fps)} fps${rtt}${lost}`);
  explain();
}

function showMjpeg(shown) {
  const age = shown?.ageMs === null ? "" : ` · ${Math.round(shown?.ageMs)} ms old`;
  say($("quality"), shown ? `MJPEG${age}` : "");
  explain();
}

function explain() {
  const isShown = !video.hidden || !$("canvas").hidden;
  say($("waiting"), isShown ? "" : sentence(trouble));
}

function pause(ms) {
  return new Promise((resolve) => { setTimeout(resolve, ms); });
}
