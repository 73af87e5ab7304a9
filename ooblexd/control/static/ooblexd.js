// The page: one card a stream, kept in step with the API by asking it each second.

import { Player } from "./player.js";

const STREAMS_MS = 1000;
const HEALTH_MS = 5000;
const MOST_CONNECTIONS = 4; // of six; the rest is for the API and for snapshots

const $ = (id) => document.getElementById(id);
const cards = new Map();
let effects = [];

// The API

class Problem extends Error {
  constructor(body, status) {
    super(body.detail ?? body.title ?? `HTTP ${status}`);
    this.status = status;
    this.errors = body.errors ?? [];
  }
}

async function api(method, path, body) {
  const options = { method, headers: { Accept: "application/json" }, cache: "no-store" };
  if (method !== "GET") options.headers["Content-Type"] = "application/json";
  if (body !== undefined) options.body = JSON.stringify(body);
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Problem({ detail: "The daemon does not answer." }, 0);
  }
  const isJson = /json/.test(response.headers.get("content-type") ?? "");
  const answer = isJson ? await response.json() : {};
  if (!response.ok && !("checks" in answer)) throw new Problem(answer, response.status);
  return answer;
}

const effectLabel = (name) => {
  const words = name === "none" ? "No effect" : name.replaceAll("_", " ");
  return words[0].toUpperCase() + words.slice(1);
};
const isPrivacy = (name) => effects.some((e) => e.effect === name && e.is_privacy);
const chainOf = (name) => (name === "none" ? [] : [{ effect: name }]);

function say(element, text) {
  element.textContent = text;
  element.hidden = !text;
}

// A question with two answers, for what cannot be taken back at a glance.
function ask(title, text, yes) {
  const dialog = $("ask-dialog");
  $("ask-title").textContent = title;
  $("ask-text").textContent = text;
  $("ask-yes").textContent = yes;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

// One stream

const PICTURES = { live: "Live", held: "Held", covered: "Covered", slate: "No picture" };

class Card {
  constructor(name) {
    this.name = name;
    this.isVisible = false;
    this.stream = null;
    this.isChanging = false;
    const root = $("card").content.firstElementChild.cloneNode(true);
    this.root = root;
    this.find = (selector) => root.querySelector(selector);
    this.find("h2").textContent = name;
    this.find(".snapshot").href = `/streams/${name}/snapshot.jpg`;
    this.find(".remove").addEventListener("click", () => this.remove());
    this.find(".full").addEventListener("click", () => this.fill());
    this.find("canvas").addEventListener("click", () => this.fill());
    this.player = new Player(name, this.find("canvas"), (shown) => this.shown(shown));
    this.buildEffects();
  }

  buildEffects() {
    const group = this.find(".effects");
    group.setAttribute("aria-label", `Effect of ${this.name}`);
    for (const { effect, summary } of ordered(effects)) {
      const button = document.createElement("button");
      button.type = "button";
      button.role = "radio";
      button.dataset.effect = effect;
      button.title = summary;
      button.textContent = effectLabel(effect).replace(" faces", "").replace("No effect", "None");
      button.addEventListener("click", () => this.choose(effect));
      group.append(button);
    }
  }

  update(stream) {
    this.stream = stream;
    const { root } = this;
    root.dataset.state = stream.state;
    this.find(".source").textContent = stream.source;
    this.find(".source").title = stream.source;
    this.find(".viewers").textContent = stream.viewers;
    number(this.find(".fps"), stream.fps_out, "fps");
    this.find(".fps").title = `${Math.round(stream.fps_in)} a second come from the source`;
    number(this.find(".age"), stream.age_p50_ms, "ms");
    say(this.find(".reason"), stream.reason ? sentence(stream.reason) : "");
    if (!this.isChanging) this.markEffect(stream.effects);
    this.explain();
  }

  markEffect(chain) {
    const current = chain.length === 0 ? "none" : chain.length === 1 ? chain[0].effect : "";
    for (const button of this.root.querySelectorAll(".effects button")) {
      button.setAttribute("aria-checked", String(button.dataset.effect === current));
    }
  }

  shown(shown) {
    this.hasPicture = shown !== null;
    const badge = this.find(".badge");
    badge.dataset.picture = shown ? shown.picture : "none";
    const isAged = shown && shown.picture === "live" && shown.ageMs !== null;
    const text = shown ? PICTURES[shown.picture] ?? shown.picture : "";
    this.find(".badge-text").textContent = isAged ? `${text} · ${Math.round(shown.ageMs)} ms` : text;
    this.explain();
  }

  // What stands where the picture would be.
  explain() {
    const words = {
      stopped: "Switched off",
      down: "No picture",
      starting: "Connecting…",
      failed: "Out of order",
    };
    const waiting = this.hasPicture ? "" : words[this.stream?.state] ?? "Waiting for a picture…";
    if (this.find(".waiting").textContent !== waiting) this.find(".waiting").textContent = waiting;
  }

  async choose(effect) {
    const chain = this.stream.effects;
    const button = this.find(`[data-effect="${effect}"]`);
    if (this.isChanging || button.getAttribute("aria-checked") === "true") return;
    const wasPrivate = chain.some((e) => isPrivacy(e.effect));
    if (wasPrivate && !isPrivacy(effect)) {
      const text = `Everyone who can watch ${this.name} will see them.`;
      if (!(await ask("Show faces?", text, "Show faces"))) return;
    }
    await this.change(async () => {
      this.markEffect(chainOf(effect));
      await api("PUT", `/api/v1/streams/${this.name}/effects`, chainOf(effect));
    });
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
    await refreshStreams();
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

// What protects comes first, nothing last.
function ordered(list) {
  return [...list].sort((a, b) => (a.effect === "none") - (b.effect === "none"));
}

function number(element, value, unit) {
  element.textContent = value === null || value === undefined ? "–" : `${Math.round(value)} `;
  if (value === null || value === undefined) return;
  const small = document.createElement("small");
  small.textContent = unit;
  element.append(small);
}

function sentence(text) {
  return text[0].toUpperCase() + text.slice(1);
}

// All streams

const onScreen = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    const card = cards.get(target.dataset.name);
    if (card) card.isVisible = isIntersecting;
  }
  share();
}, { rootMargin: "80px" });

// Who gets one of the few connections: what is on the screen, in its order.
function share() {
  let free = document.hidden ? 0 : MOST_CONNECTIONS;
  for (const card of cards.values()) {
    const isWanted = card.isVisible && card.stream?.state !== "stopped";
    if (!isWanted || document.hidden) card.player.play("off");
    else card.player.play(free-- > 0 ? "stream" : "poll");
  }
}

async function refreshStreams() {
  let streams;
  try {
    streams = (await api("GET", "/api/v1/streams")).items;
    if (effects.length === 0) effects = (await api("GET", "/api/v1/effects")).items;
  } catch (problem) {
    say($("banner"), problem.status === 0 ? "The daemon does not answer. Trying again…" : sentence(problem.message));
    return;
  }
  say($("banner"), "");
  show(streams);
}

function show(streams) {
  const names = new Set(streams.map((stream) => stream.name));
  for (const [name, card] of cards) {
    if (names.has(name)) continue;
    onScreen.unobserve(card.root);
    card.close();
    cards.delete(name);
  }
  for (const stream of streams) {
    let card = cards.get(stream.name);
    if (!card) {
      card = new Card(stream.name);
      card.root.dataset.name = stream.name;
      cards.set(stream.name, card);
      $("grid").append(card.root);
      onScreen.observe(card.root);
    }
    card.update(stream);
  }
  $("grid").dataset.count = streams.length;
  $("empty").hidden = streams.length > 0;
  share();
}

// Health

let health = null;

async function refreshHealth() {
  try {
    health = await api("GET", "/health");
  } catch {
    health = { status: "unreachable", checks: {} };
  }
  $("health").dataset.status = health.status;
  $("health-text").textContent = sentence(health.status);
}

function showHealth() {
  if (!health) return;
  const hours = (health.uptime_s / 3600).toFixed(1);
  $("health-about").textContent = health.version ? `ooblexd ${health.version}, running for ${hours} h` : "The daemon does not answer.";
  $("checks").replaceChildren(...Object.entries(health.checks).map(([name, check]) => {
    const item = document.createElement("li");
    item.dataset.status = check.status;
    const dot = document.createElement("span");
    dot.className = "dot";
    const title = document.createElement("span");
    title.textContent = name.replace(":", " ");
    item.append(dot, title);
    if (check.reason) {
      const reason = document.createElement("p");
      reason.textContent = sentence(check.reason);
      item.append(reason);
    }
    return item;
  }));
  $("health-dialog").showModal();
}

// Adding

function openAdd() {
  const form = $("add-dialog").querySelector("form");
  form.reset();
  for (const id of ["source-problem", "name-problem", "effects-problem", "add-problem"]) say($(id), "");
  for (const id of ["source", "name"]) $(id).removeAttribute("aria-invalid");
  $("add-effects").replaceChildren(...ordered(effects).map(({ effect, summary }, index) => {
    const label = document.createElement("label");
    label.className = "choice";
    const input = Object.assign(document.createElement("input"), { type: "radio", name: "effect", value: effect, checked: index === 0 });
    const words = document.createElement("div");
    const title = document.createElement("b");
    title.textContent = effectLabel(effect);
    const about = document.createElement("span");
    about.textContent = summary;
    words.append(title, about);
    label.append(input, words);
    return label;
  }));
  $("add-dialog").showModal();
  $("source").focus();
}

async function add(event) {
  event.preventDefault();
  const source = $("source").value.trim();
  const name = $("name").value.trim();
  const effect = document.querySelector("#add-effects :checked")?.value ?? "none";
  for (const id of ["source", "name", "effects", "add"]) say($(`${id}-problem`), "");
  $("add-submit").disabled = true;
  try {
    await api("POST", "/api/v1/streams", { name, source, effects: chainOf(effect) });
    $("add-dialog").close();
    await refreshStreams();
    cards.get(name)?.root.scrollIntoView({ behavior: "smooth", block: "nearest" });
  } catch (problem) {
    tell(problem);
  } finally {
    $("add-submit").disabled = false;
  }
}

// Puts each error where its cause was typed, and what has no such place at the end.
function tell(problem) {
  let isPlaced = false;
  for (const field of ["source", "name", "effects"]) {
    const error = problem.errors.find(({ key }) => key.split(/[.[]/)[0] === field || key.endsWith(`.${field}`));
    $(field)?.setAttribute("aria-invalid", String(Boolean(error)));
    say($(`${field}-problem`), error ? sentence(error.detail) : "");
    isPlaced ||= Boolean(error);
  }
  if (problem.status === 409) {
    $("name").setAttribute("aria-invalid", "true");
    say($("name-problem"), sentence(problem.message));
  } else if (!isPlaced) {
    say($("add-problem"), sentence(problem.message));
  }
}

// Beginning

for (const id of ["add", "add-first"]) $(id).addEventListener("click", openAdd);
$("add-dialog").querySelector("form").addEventListener("submit", add);
$("health").addEventListener("click", showHealth);
for (const button of document.querySelectorAll("[data-close]")) {
  button.addEventListener("click", () => button.closest("dialog").close());
}
for (const dialog of document.querySelectorAll("dialog")) {
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
}
document.addEventListener("visibilitychange", share);

function every(ms, task) {
  const round = async () => {
    if (!document.hidden) await task();
    setTimeout(round, ms);
  };
  round();
}

every(STREAMS_MS, refreshStreams);
every(HEALTH_MS, refreshHealth);
