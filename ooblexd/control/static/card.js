// One stream: its picture, its numbers, its effects.

import { api } from "./api.js";
import { ask, duration, number, say, sentence, soundTitle } from "./dom.js";
import { openEdit } from "./edit.js";
import {
  choosable, effectLabel, isPrivacy, needsSaying, parametersOf, replaced, withEffect,
  withoutEffect,
} from "./effects.js";
import { Player } from "./player.js";
import { openSettings } from "./settings.js";

const PICTURES = { live: "Live", held: "Held", covered: "Covered", slate: "No picture" };
// What stands where the picture would be, and in the badge where there is no such place.
const STATES = {
  stopped: "Switched off",
  down: "No picture",
  starting: "Connecting…",
  failed: "Out of order",
};
const SOUND_CODECS = { aac: "AAC", opus: "Opus", pcm_mulaw: "G.711", pcm_alaw: "G.711" };
const GONE_MS = 5000; // a camera that comes back within it keeps its place
const SLOW_TO_SAY_MS = 400; // a frame that comes late is held for a moment: no news

// In a word: the title says the rest.
function soundWord({ state, codec }) {
  if (state === "none") return "–";
  return state === "on" ? SOUND_CODECS[codec] : "off";
}

function lostPushes({ pushes }) {
  const lost = pushes.filter(({ reason }) => reason !== "");
  return lost.map(({ url, reason }) => sentence(`push to ${url}: ${reason}`));
}

export class Card {
  // onChange() is called when the daemon has answered a change.
  constructor(name, onChange) {
    this.name = name;
    this.onChange = onChange;
    this.isVisible = false;
    this.stream = null;
    this.isChanging = false;
    this.isCompact = false; // without a place for a picture
    this.liveAt = -Infinity;
    const root = document.getElementById("card").content.firstElementChild.cloneNode(true);
    this.root = root;
    this.find = (selector) => root.querySelector(selector);
    this.find("h2").textContent = name;
    this.find(".snapshot").href = `/streams/${name}/snapshot.jpg`;
    this.find(".watch-link").href = `/watch/${name}`;
    this.find(".publish-link").href = `/publish/${name}`;
    this.find(".source").setAttribute("aria-label", `Edit the source of ${name}`);
    this.find(".source").addEventListener("click", () => openEdit(this.stream, onChange));
    this.find(".remove").addEventListener("click", () => this.remove());
    this.find(".full").addEventListener("click", () => this.fill());
    this.find("canvas").addEventListener("click", () => this.fill());
    this.player = new Player(name, this.find("canvas"), (shown) => this.shown(shown));
    this.find(".effects").setAttribute("aria-label", `Effects of ${name}`);
    for (const kind of choosable()) this.find(".effects").append(this.chip(kind));
  }

  chip({ effect, summary }) {
    const chip = document.createElement("span");
    chip.className = "chip";
    chip.dataset.effect = effect;
    const toggle = Object.assign(document.createElement("button"), {
      type: "button", className: "toggle", title: summary, textContent: effectLabel(effect),
    });
    toggle.addEventListener("click", () => this.toggle(effect));
    chip.append(toggle);
    if (parametersOf(effect).own.length > 0) {
      const settings = document.getElementById("settings-button").content.cloneNode(true);
      const button = settings.querySelector("button");
      button.title = `Settings of ${effectLabel(effect).toLowerCase()}`;
      button.setAttribute("aria-label", button.title);
      button.addEventListener("click", () => this.openSettings(effect));
      chip.append(settings);
    }
    return chip;
  }

  update(stream) {
    this.stream = stream;
    const { root } = this;
    root.dataset.state = stream.state;
    this.find(".source span").textContent = stream.source;
    this.find(".publish-link").hidden = !/^whip:/i.test(stream.source);
    const wasCompact = this.isCompact;
    this.isCompact = isGone(stream) || (this.isCompact && stream.state === "starting");
    root.classList.toggle("compact", this.isCompact);
    if (wasCompact && !this.isCompact) this.shown(null); // what the badge said is past
    this.find(".viewers").textContent = stream.viewers;
    this.find(".sound dd").textContent = soundWord(stream.sound);
    this.find(".sound").title = soundTitle(stream.sound);
    number(this.find(".fps"), stream.fps_out, "fps");
    this.find(".fps").title = `${Math.round(stream.fps_in)} a second come from the source`;
    number(this.find(".age"), stream.age_p50_ms, "ms");
    const isSaid = stream.reason && stream.state !== "stopped"; // the badge says that
    say(this.find(".reason"), isSaid ? sentence(stream.reason) : "");
    say(this.find(".push"), lostPushes(stream).join(" "));
    say(this.find(".since"), this.isCompact ? since(stream) : "");
    const isFine = this.find(".push").hidden && this.find(".since").hidden;
    this.find(".trouble").hidden = !isSaid && isFine;
    if (!this.isChanging) this.markEffects(stream.effects);
    this.explain();
  }

  markEffects(chain) {
    const isCovered = chain.some(({ effect }) => isPrivacy(effect));
    say(this.find(".bare"), isCovered || this.isCompact ? "" : "Shows everybody");
    for (const chip of this.root.querySelectorAll(".chip")) {
      const isOn = chain.some(({ effect }) => effect === chip.dataset.effect);
      chip.classList.toggle("on", isOn);
      chip.querySelector(".toggle").setAttribute("aria-pressed", String(isOn));
      const settings = chip.querySelector(".settings");
      if (settings) settings.hidden = !isOn;
    }
  }

  shown(shown) {
    this.hasPicture = shown !== null;
    const now = performance.now();
    if (shown?.picture === "live") this.liveAt = now;
    const isLive = shown && now - this.liveAt < SLOW_TO_SAY_MS;
    const picture = isLive ? "live" : shown?.picture ?? "none";
    const badge = this.find(".badge");
    badge.dataset.picture = picture;
    const isWaiting = picture === "slate" && this.stream?.state === "waiting";
    const text = isWaiting ? "Waiting" : PICTURES[picture] ?? "";
    const isPolled = isLive && this.player.mode === "poll"; // else the age is told below
    this.find(".badge-text").textContent = isPolled ? `${text} · every 2 s` : text;
    this.explain();
  }

  explain() {
    const state = STATES[this.stream?.state];
    const waiting = this.hasPicture ? "" : state ?? "Waiting for a picture…";
    if (this.find(".waiting").textContent !== waiting) this.find(".waiting").textContent = waiting;
    if (!this.isCompact) return;
    this.find(".badge").dataset.picture = "slate";
    this.find(".badge-text").textContent = state;
  }

  async toggle(effect) {
    const chain = this.stream.effects;
    if (this.isChanging) return;
    if (!chain.some((one) => one.effect === effect)) {
      if (needsSaying(effect)) this.openSettings(effect);
      else await this.apply(withEffect(chain, { effect }));
      return;
    }
    if (isPrivacy(effect)) {
      const text = `Everyone who can watch ${this.name} will see what it covers.`;
      const off = `Switch off ${effectLabel(effect).toLowerCase()}?`;
      if (!(await ask(off, text, "Show it"))) return;
    }
    await this.apply(withoutEffect(chain, effect));
  }

  openSettings(effect) {
    const current = this.stream.effects.find((one) => one.effect === effect);
    openSettings({
      stream: this.name,
      picture: this.find("canvas"),
      effect: current ?? { effect },
      // Tells whether the daemon took it: an Error says why not.
      change: async (changed) => {
        const chain = this.stream.effects;
        const isOn = chain.some((one) => one.effect === effect);
        const wanted = isOn ? replaced(chain, changed) : withEffect(chain, changed);
        await this.send(wanted);
      },
    });
  }

  async apply(chain) {
    await this.change(() => this.send(chain));
  }

  async send(chain) {
    this.markEffects(chain);
    await api("PUT", `/api/v1/streams/${this.name}/effects`, chain);
    this.stream = { ...this.stream, effects: chain };
  }

  async remove() {
    const text = "It leaves the configuration too. Other streams go on.";
    if (!(await ask(`Remove ${this.name}?`, text, "Remove"))) return;
    await this.change(() => api("DELETE", `/api/v1/streams/${this.name}`));
  }

  async change(request) {
    this.isChanging = true;
    say(this.find(".problem"), "");
    try {
      await request();
    } catch (problem) {
      say(this.find(".problem"), sentence(problem.message));
    } finally {
      this.isChanging = false;
    }
    await this.onChange();
  }

  fill() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.find(".picture").requestFullscreen?.();
  }

  close() {
    this.player.play("off");
    this.root.remove();
  }
}

function isGone({ state, down_for_ms, last_frame_age_ms }) {
  if (state !== "down") return state === "stopped" || state === "failed";
  return last_frame_age_ms === null || down_for_ms > GONE_MS;
}

function since({ state, down_for_ms, last_frame_age_ms }) {
  if (state !== "down") return "";
  const time = duration(down_for_ms);
  if (last_frame_age_ms === null) return `Tried for ${time}, and on for ever.`;
  return `No picture for ${time}. It is tried again for ever.`;
}
