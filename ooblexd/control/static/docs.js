// The page at /docs: /openapi.json as people read it, and a way to try it.
//
// Written rather than vendored: Swagger UI 5.35 is 1.9 MB, Redoc 3.0 2.3 and RapiDoc 9.3 0.9
// of a build of theirs, most want inline styles, which our policy refuses, and none
// can show a stream that does not end. This is 30 kB and follows the page.

import { api } from "./api.js";
import { $, say, sentence } from "./dom.js";
import { element, prose } from "./prose.js";
import { describe, resolve, summarize } from "./schema.js";
import { trial } from "./trial.js";

const METHODS = ["get", "post", "put", "patch", "delete"];
const HIDDEN = new Set(["X-Request-ID"]); // of all, said once at the top

let description;

function operationsOf(tag) {
  return Object.entries(description.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]?.tags.includes(tag))
      .map((method) => ({ path, method, ...item[method] })));
}

function pathOf(path) {
  return element("code", "path", ...path.split(/(\{\w+\})/).map((part) =>
    part.startsWith("{") ? element("em", "", part) : part));
}

function badge(method) {
  const found = element("span", "method", method.toUpperCase());
  found.dataset.method = method;
  return found;
}

function part(title, ...content) {
  return element("section", "part", element("h4", "", title), ...content);
}

function parametersOf(operation) {
  const shown = operation.parameters
    .map((parameter) => resolve(description, parameter))
    .filter(({ name }) => !HIDDEN.has(name));
  if (shown.length === 0) return null;
  const rows = shown.map((parameter) => element("div", "row",
    element("div", "key", element("code", "", parameter.name), element("span", "place", parameter.in),
      ...(parameter.required ? [element("span", "needed", "required")] : [])),
    element("div", "about", element("span", "type", summarize(description, parameter.schema)), prose(parameter.description))));
  return part("Parameters", ...rows);
}

function contentOf(content) {
  return Object.entries(content ?? {}).map(([type, { schema }]) => {
    const isPlain = !schema || schema.type === "string";
    return element("div", "content", element("span", "media", type), ...(isPlain ? [] : [describe(description, schema)]));
  });
}

function answersOf(operation) {
  const rows = Object.entries(operation.responses).map(([status, given]) => {
    const answer = resolve(description, given);
    const names = Object.keys(answer.headers ?? {}).filter((name) => !HIDDEN.has(name));
    const isProblem = "application/problem+json" in (answer.content ?? {});
    const code = element("code", "status", status);
    code.dataset.kind = status[0];
    const body = element("div", "about", prose(answer.description));
    if (!isProblem) body.append(...contentOf(answer.content));
    if (names.length) {
      const list = names.map((name) => element("li", "", element("code", "", name), " ",
        prose(resolve(description, answer.headers[name]).description)));
      body.append(element("ul", "headers", ...list));
    }
    return element("div", "row", element("div", "key", code), body);
  });
  return part("Answers", ...rows);
}

function fill(card, operation) {
  const inside = card.querySelector(".inside");
  if (inside.childElementCount) return;
  const body = operation.requestBody && part("Body", ...contentOf(operation.requestBody.content));
  inside.append(...[
    operation.description && prose(operation.description),
    parametersOf(operation), body,
    part("Try it", trial(description, operation)),
    answersOf(operation),
  ].filter(Boolean));
}

function cardOf(operation) {
  const head = element("summary", "", badge(operation.method), pathOf(operation.path), element("span", "title", operation.summary));
  const card = element("details", "operation", head, element("div", "inside"));
  card.id = operation.operationId;
  card.dataset.words = `${operation.method} ${operation.path} ${operation.summary} ${operation.description}`.toLowerCase();
  card.addEventListener("toggle", () => {
    if (!card.open) return;
    fill(card, operation);
    history.replaceState(null, "", `#${card.id}`);
  });
  return card;
}

function groupOf({ name, description: about }) {
  const cards = operationsOf(name).map(cardOf);
  const group = element("section", "group", element("h2", "", name), element("p", "hint", about), ...cards);
  group.id = `group-${name.toLowerCase()}`;
  return group;
}

function contentsOf({ name }) {
  const links = operationsOf(name).map((operation) => {
    const link = element("a", "", badge(operation.method), element("span", "", operation.summary));
    link.href = `#${operation.operationId}`;
    link.title = operation.path;
    return link;
  });
  return element("div", "", element("h2", "", name), ...links);
}

function find() {
  const words = $("search").value.trim().toLowerCase().split(/\s+/);
  let found = 0;
  for (const group of document.querySelectorAll(".group")) {
    let here = 0;
    for (const card of group.querySelectorAll(".operation")) {
      card.hidden = !words.every((word) => card.dataset.words.includes(word));
      here += !card.hidden;
    }
    group.hidden = here === 0;
    found += here;
  }
  for (const link of document.querySelectorAll("#contents a")) {
    link.hidden = document.getElementById(link.hash.slice(1)).hidden;
  }
  $("intro").hidden = words[0] !== "";
  $("nothing").hidden = found > 0;
}

function goTo() {
  const card = document.getElementById(location.hash.slice(1));
  if (!card) return;
  if (card.hidden) {
    $("search").value = "";
    find();
  }
  if (card instanceof HTMLDetailsElement) card.open = true;
  card.scrollIntoView({ block: "start" });
}

async function begin() {
  try {
    description = await api("GET", "/openapi.json");
  } catch (problem) {
    say($("banner"), problem.status === 0 ? "The daemon does not answer." : sentence(problem.message));
    return;
  }
  $("version").textContent = description.info.version;
  $("intro").replaceChildren(element("h1", "", description.info.summary), prose(description.info.description));
  $("groups").replaceChildren(...description.tags.map(groupOf));
  $("contents").replaceChildren(...description.tags.map(contentsOf));
  $("search").addEventListener("input", find);
  window.addEventListener("hashchange", goTo);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.target.matches("input, textarea, select")) return;
    event.preventDefault();
    $("search").focus();
  });
  if ($("search").value) find(); // typed meanwhile
  goTo();
}

begin();
