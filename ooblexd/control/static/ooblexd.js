// The page: one card a stream, kept in step with the API by asking it each second.

import { add, openAdd } from "./add.js";
import { api } from "./api.js";
import { Card } from "./card.js";
import { $, say, sentence } from "./dom.js";
import { saveAddress } from "./edit.js";
import { loadEffects } from "./effects.js";
import { refreshHealth, showHealth } from "./health.js";

const STREAMS_MS = 1000;
const HEALTH_MS = 3000;
const MOST_CONNECTIONS = 4; // of six; the rest is for the API and for snapshots

const cards = new Map();
let shownStates = "";

const onScreen = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    const card = cards.get(target.dataset.name);
    if (card) card.isVisible = isIntersecting;
  }
  share();
}, { rootMargin: "80px" });

// Who gets one of the few connections: of what is on the screen first what has a picture
// to show, in its order. The others show one now and then.
function share() {
  const isShown = (card) => card.isVisible && !document.hidden && !card.isCompact;
  const shown = [...cards.values()].filter(isShown);
  const isRunning = (card) => card.stream?.state === "running";
  const live = new Set([...shown.filter(isRunning), ...shown.filter((card) => !isRunning(card))].slice(0, MOST_CONNECTIONS));
  for (const card of cards.values()) {
    if (!isShown(card)) card.player.play("off");
    else card.player.play(live.has(card) ? "stream" : "poll");
  }
}

async function refreshStreams() {
  let streams;
  try {
    streams = (await api("GET", "/api/v1/streams")).items;
    await loadEffects();
  } catch (problem) {
    say($("banner"), problem.status === 0 ? "The daemon does not answer. Trying again…" : sentence(problem.message));
    if (problem.status === 0) refreshHealth();
    return;
  }
  say($("banner"), "");
  show(streams);
  // The word in the bar must not lag behind what the cards say.
  const states = streams.map(({ name, state, reason }) => `${name} ${state} ${reason}`).join();
  if (states !== shownStates) refreshHealth();
  shownStates = states;
}

async function added(name) {
  await refreshStreams();
  cards.get(name)?.root.scrollIntoView({ behavior: "smooth", block: "nearest" });
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
      card = new Card(stream.name, refreshStreams);
      card.root.dataset.name = stream.name;
      cards.set(stream.name, card);
      onScreen.observe(card.root);
    }
    card.update(stream);
  }
  const shown = streams.map((stream) => cards.get(stream.name));
  const isOff = (card) => Number(card.stream.state === "stopped");
  place($("rows"), shown.filter((card) => card.isCompact).sort((a, b) => isOff(a) - isOff(b)));
  place($("grid"), shown.filter((card) => !card.isCompact));
  $("empty").hidden = streams.length > 0;
  share();
}

// Moves only what is elsewhere: a card that is moved loses the focus, and a full screen.
function place(section, shown) {
  shown.forEach(({ root }, index) => {
    const there = section.children[index] ?? null;
    if (there !== root) section.insertBefore(root, there);
  });
  section.dataset.count = shown.length;
  section.hidden = shown.length === 0;
}

for (const id of ["add", "add-first"]) $(id).addEventListener("click", openAdd);
$("add-dialog").querySelector("form").addEventListener("submit", (event) => add(event, added));
$("edit-dialog").querySelector("form").addEventListener("submit", saveAddress);
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
