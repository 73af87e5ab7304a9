// Giving a camera another address. The old one is never shown whole, so it is asked for
// anew, and looked at before it is saved.

import { Address } from "./address.js";
import { api } from "./api.js";
import { $, say, sentence } from "./dom.js";

const IMPOSSIBLE = [403, 422]; // what the daemon would not save either

let name = "";
let onSaved = null;

const address = new Address($("new-source"), $("new-probe"), {
  anyway: "You can save it all the same: it is tried again for ever.",
  begun: () => offer(false),
  answered: ({ ok }) => offer(true, ok ? "Save" : "Save anyway"),
  refused: (problem) => {
    offer(!IMPOSSIBLE.includes(problem.status), "Save anyway");
    tell(problem);
  },
});

export function openEdit(stream, saved) {
  name = stream.name;
  onSaved = saved;
  $("edit-dialog").querySelector("form").reset();
  address.stop();
  offer(false);
  $("edit-title").textContent = `Source of ${name}`;
  $("edit-now").textContent = stream.source;
  $("edit-dialog").showModal();
  $("new-source").focus();
}

export async function saveAddress(event) {
  event.preventDefault();
  $("edit-submit").disabled = true;
  try {
    await api("PATCH", `/api/v1/streams/${name}`, { source: address.value });
  } catch (problem) {
    offer(true);
    tell(problem);
    return;
  }
  $("edit-dialog").close();
  await onSaved();
}

function offer(isPossible, words = "Save") {
  $("edit-submit").disabled = !isPossible;
  $("edit-submit").textContent = words;
  say($("new-source-problem"), "");
  $("new-source").removeAttribute("aria-invalid");
}

function tell(problem) {
  $("new-source").setAttribute("aria-invalid", "true");
  say($("new-source-problem"), sentence(problem.errors[0]?.detail ?? problem.message));
}
