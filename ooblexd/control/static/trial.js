// One operation as a form: what would be typed into a terminal, and what comes back.

import { element } from "./prose.js";
import { example, resolve, summarize } from "./schema.js";

const MOST_TEXT = 100_000;
let streams = null;

async function firstStream() {
  streams ??= fetch("/api/v1/streams").then((answer) => answer.json()).catch(() => null);
  return (await streams)?.items[0]?.name ?? "";
}

export function trial(description, operation) {
  const parameters = operation.parameters
    .map((parameter) => resolve(description, parameter))
    .filter(({ name }) => name !== "X-Request-ID");
  const fields = parameters.map((parameter) => field(description, parameter));
  const body = bodyOf(description, operation);
  const command = element("pre", "command");
  const copy = element("button", "", "Copy");
  const send = element("button", "primary", operation.method === "get" ? "Send" : `Send ${operation.method.toUpperCase()}`);
  const output = element("div", "output");
  copy.type = "button";
  output.setAttribute("aria-live", "polite");

  const read = () => question(operation, fields, body?.read());
  const tell = () => { command.textContent = curl(read(), operation); };
  const form = element("form", "trial",
    ...(fields.length ? [element("div", "fields", ...fields.map(({ root }) => root))] : []),
    ...(body ? [body.root] : []),
    element("div", "terminal", command, copy),
    element("div", "send", send), output);
  form.addEventListener("input", tell);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    send.disabled = true;
    await ask(operation, read(), output);
    send.disabled = false;
  });
  copy.addEventListener("click", async () => {
    await navigator.clipboard?.writeText(command.textContent);
    copy.textContent = "Copied";
  });
  firstStream().then((name) => {
    for (const { input, parameter } of fields) {
      const isStream = parameter.in === "path" ? parameter.name === "name" : parameter.name === "src";
      if (isStream && !input.value) input.value = name;
    }
    tell();
  });
  tell();
  return form;
}

function field(description, parameter) {
  const input = document.createElement("input");
  input.type = "text";
  input.autocapitalize = "off";
  input.autocomplete = "off";
  input.spellcheck = false;
  input.required = parameter.required;
  input.placeholder = parameter.required ? "" : summarize(description, parameter.schema);
  return { root: element("label", "", element("code", "", parameter.name), input), input, parameter };
}

// JSON to write, or a file to choose; `told` is what curl would be told of it.
function bodyOf(description, operation) {
  const content = operation.requestBody?.content;
  if (!content) return null;
  const json = content["application/json"];
  if (!json) return fileField(Object.keys(content));
  const area = document.createElement("textarea");
  area.spellcheck = false;
  area.value = JSON.stringify(example(description, json.schema), null, 2);
  area.rows = Math.min(area.value.split("\n").length + 1, 14);
  return {
    root: element("label", "body", element("span", "", "Body, JSON"), area),
    read: () => ({ type: "application/json", data: area.value, told: `-d ${quoted(area.value)}` }),
  };
}

function fileField(types) {
  const input = document.createElement("input");
  input.type = "file";
  input.accept = types.join(",");
  input.required = true;
  return {
    root: element("label", "body", element("span", "", types.join(", ")), input),
    read: () => {
      const file = input.files[0];
      return { type: file?.type || types[0], data: file, told: `--data-binary ${quoted(`@${file?.name ?? "FILE"}`)}` };
    },
  };
}

function question(operation, fields, body) {
  let path = operation.path;
  const query = new URLSearchParams();
  const headers = {};
  for (const { input, parameter } of fields) {
    const { value } = input;
    if (parameter.in === "path") path = path.replace(`{${parameter.name}}`, value ? encodeURIComponent(value) : `{${parameter.name}}`);
    else if (value && parameter.in === "query") query.set(parameter.name, value);
    else if (value) headers[parameter.name] = value;
  }
  if (body) headers["Content-Type"] = body.type;
  const search = query.size ? `?${query}` : "";
  return { method: operation.method.toUpperCase(), path: path + search, headers, body };
}

function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function curl({ method, path, headers, body }, operation) {
  const url = location.origin + path;
  const isFile = "image/jpeg" in (operation.responses[200]?.content ?? {});
  const words = [
    "curl",
    ...(method === "GET" ? [] : [`-X ${method}`]),
    ...(isFile ? ["-o picture.jpg"] : []),
    /[?&{}]/.test(url) ? quoted(url) : url,
    ...Object.entries(headers).map(([name, value]) => `\\\n  -H ${quoted(`${name}: ${value}`)}`),
    ...(body ? [`\\\n  ${body.told}`] : []),
  ];
  return words.join(" ");
}

async function ask(operation, { method, path, headers, body }, output) {
  output.querySelector("img")?.removeAttribute("src"); // ends a stream that still runs
  if ("multipart/x-mixed-replace" in (operation.responses[200]?.content ?? {})) {
    watch(path, output);
    return;
  }
  const start = performance.now();
  let answer;
  try {
    answer = await fetch(path, { method, headers, body: body?.data, cache: "no-store" });
    const content = await shown(answer);
    const took = `${Math.round(performance.now() - start)} ms`;
    const status = element("code", "status", `${answer.status} ${answer.statusText}`);
    status.dataset.kind = String(answer.status)[0];
    output.replaceChildren(element("p", "", status, " ", element("span", "hint", took)), headersOf(answer), content);
  } catch {
    output.replaceChildren(element("p", "problem", "The daemon does not answer."));
  }
  streams = null;
}

// A stream never ends, so it is looked at instead of read.
function watch(path, output) {
  const image = document.createElement("img");
  const stop = element("button", "", "Stop");
  stop.type = "button";
  stop.addEventListener("click", () => {
    image.removeAttribute("src");
    output.replaceChildren();
  });
  image.alt = "The stream";
  image.addEventListener("error", () => {
    if (image.src) output.replaceChildren(element("p", "problem", "No stream comes; the command above shows why."));
  });
  image.src = path;
  output.replaceChildren(image, stop);
}

function headersOf(answer) {
  const ours = [...answer.headers].filter(([name]) => /^(x-(?!content)|etag|location|content-type|allow)/.test(name));
  return element("pre", "answer-headers", ours.map(([name, value]) => `${name}: ${value}`).join("\n"));
}

async function shown(answer) {
  const type = answer.headers.get("content-type") ?? "";
  if (type.startsWith("image/jpeg")) {
    const image = document.createElement("img");
    image.alt = "The picture";
    image.src = URL.createObjectURL(await answer.blob());
    image.addEventListener("load", () => URL.revokeObjectURL(image.src), { once: true });
    return image;
  }
  const text = (await answer.text()).slice(0, MOST_TEXT);
  if (!text) return element("p", "hint", "Empty.");
  if (!type.includes("json")) return element("pre", "answer", text);
  try {
    return element("pre", "answer", JSON.stringify(JSON.parse(text), null, 2));
  } catch {
    return element("pre", "answer", text); // cut off
  }
}
