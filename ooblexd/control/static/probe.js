// What a camera turned out to be, in a few lines.

import { sentence } from "./dom.js";

// found: what `POST /api/v1/probe` answered; null while it is on its way.
// anyway: what may be done though no camera answers, a sentence.
export function tellProbe(element, found, anyway) {
  tell(element, linesOf(found, anyway));
}

// Whether others send the pictures, so that there is no camera to look at.
export function isPublishedTo(source) {
  return /^(whip|upload|rtmp-listen|rtsp-listen):/i.test(source);
}

export function tellPublished(element) {
  tell(element, [["good", "Others send its pictures, once it is added; until then it waits."]]);
}

function tell(element, lines) {
  element.replaceChildren(...lines.map(([kind, text]) => {
    const line = document.createElement("p");
    line.dataset.kind = kind;
    const dot = Object.assign(document.createElement("span"), { className: "dot" });
    line.append(dot, Object.assign(document.createElement("span"), { textContent: text }));
    return line;
  }));
  element.hidden = false;
}

function linesOf(found, anyway) {
  if (!found) return [["busy", "Looking at the camera…"]];
  if (!found.ok) return [["bad", `${sentence(found.reason)}. ${anyway}`]];
  const warnings = found.warnings.map((text) => ["warn", sentence(text)]);
  return [["good", summary(found)], ...warnings];
}

function summary({ video, audio }) {
  const parts = [video.codec.toUpperCase(), `${video.width} × ${video.height}`];
  const fps = video.fps || video.announced_fps;
  if (fps) parts.push(`${Number(fps.toFixed(1))} frames a second`);
  if (audio.length > 0) parts.push("its sound is left aside");
  return parts.join(", ");
}
