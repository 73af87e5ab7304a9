// Small things that every part of the page does with the document.

export const $ = (id) => document.getElementById(id);

export function say(element, text) {
  element.textContent = text;
  element.hidden = !text;
}

export function number(element, value, unit) {
  element.textContent = value === null || value === undefined ? "–" : `${Math.round(value)} `;
  if (value === null || value === undefined) return;
  const small = document.createElement("small");
  small.textContent = unit;
  element.append(small);
}

// Says that there is no such stream, and leads to those that there are.
export function sayMissing(element, text) {
  const link = Object.assign(document.createElement("a"), { href: "/", textContent: "All streams" });
  say(element, `${sentence(text)}. `);
  element.append(link);
}

// What becomes of a stream's sound, and why.
export function soundTitle({ state, reason }) {
  if (state === "on") return "The source's sound is passed on";
  return state === "off" ? `Not passed on: ${reason}` : reason && sentence(reason);
}

export function sentence(text) {
  return text[0].toUpperCase() + text.slice(1);
}

// A length of time in its largest unit: "12 min".
export function duration(ms) {
  const units = [["d", 86_400_000], ["h", 3_600_000], ["min", 60_000]];
  const [unit, length] = units.find(([, least]) => ms >= least) ?? ["s", 1000];
  return `${Math.floor(ms / length)} ${unit}`;
}

// A question with two answers, for what cannot be taken back at a glance.
export function ask(title, text, yes) {
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
