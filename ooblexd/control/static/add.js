// Adding a camera: its address is tried while one finds a name for it.

import { Address } from "./address.js";
import { api } from "./api.js";
import { $, say, sentence } from "./dom.js";
import { effectLabel, effects, isPrivacy, loadEffects, needsSaying } from "./effects.js";

const FIELDS = ["source", "name", "effects"];

const address = new Address($("source"), $("probe"), {
  anyway: "You can add it all the same: it is tried again for ever.",
  begun: clearProblems,
  answered: () => {},
  refused: tell,
});

export async function openAdd() {
  await loadEffects(); // without them nothing that protects could be offered
  const form = $("add-dialog").querySelector("form");
  form.reset();
  clearProblems();
  address.stop();
  $("add-effects").replaceChildren(...offered().map(effectChoice));
  $("add-dialog").showModal();
  $("source").focus();
}

// What protects comes first, nothing last; what needs settings is added later.
function offered() {
  const protecting = effects.filter(({ effect }) => isPrivacy(effect) && !needsSaying(effect));
  return [...protecting, { effect: "none", summary: "Shows everybody's face." }];
}

function effectChoice({ effect, summary }, index) {
  const label = document.createElement("label");
  label.className = "choice";
  const input = Object.assign(document.createElement("input"), { type: "radio", name: "effect", value: effect, checked: index === 0 });
  const words = document.createElement("div");
  const title = document.createElement("b");
  title.textContent = effect === "none" ? "No effect" : effectLabel(effect);
  const about = document.createElement("span");
  about.textContent = summary;
  words.append(title, about);
  label.append(input, words);
  return label;
}

// onAdded(name) is called once the daemon has the stream.
export async function add(event, onAdded) {
  event.preventDefault();
  const source = address.value;
  const name = $("name").value.trim();
  const effect = document.querySelector("#add-effects :checked")?.value ?? "none";
  address.stop();
  clearProblems();
  $("add-submit").disabled = true;
  try {
    const chain = effect === "none" ? [] : [{ effect }];
    await api("POST", "/api/v1/streams", { name, source, effects: chain });
    $("add-dialog").close();
    await onAdded(name);
  } catch (problem) {
    tell(problem);
  } finally {
    $("add-submit").disabled = false;
  }
}

function clearProblems() {
  for (const field of [...FIELDS, "add"]) say($(`${field}-problem`), "");
  for (const field of FIELDS) $(field)?.removeAttribute("aria-invalid");
}

// Puts each error where its cause was typed, and what has no such place at the end.
function tell(problem) {
  let isPlaced = false;
  for (const field of FIELDS) {
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
