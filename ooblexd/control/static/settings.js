// What one effect may be told, made from its JSON schema, and said at once.

import { $, say, sentence } from "./dom.js";
import { effectLabel, isPrivacy, parametersOf } from "./effects.js";
import { ZoneEditor } from "./zones.js";

const CALM_MS = 250; // between two changes of a slider that is being dragged

// about: {stream, picture, effect, change}; change(effect) rejects with the reason.
export function openSettings({ stream, picture, effect, change }) {
  const { own, common } = parametersOf(effect.effect);
  const said = { ...effect };
  let timer = 0;
  const tell = async () => {
    say($("settings-problem"), "");
    try {
      await change({ ...said });
    } catch (problem) {
      const details = problem.errors?.map(({ detail }) => detail) ?? [];
      say($("settings-problem"), sentence(details[0] ?? problem.message));
    }
  };
  const take = (key, value) => {
    said[key] = value;
    clearTimeout(timer);
    timer = setTimeout(tell, CALM_MS);
  };
  $("settings-title").textContent = effectLabel(effect.effect);
  const cover = isPrivacy(effect.effect) ? " Each change covers the picture for a moment." : "";
  $("settings-about").textContent = `On ${stream}, at once.${cover}`;
  say($("settings-problem"), "");
  const takeZones = (zones) => {
    if (zones.length > 0) take("polygons", zones);
    else say($("settings-problem"), "Without a zone nothing changes. To show everything, switch the effect off.");
  };
  const hasZones = own.some(([key]) => key === "polygons");
  $("settings-picture").hidden = hasZones; // there it is drawn upon
  if (!hasZones) mirror(picture, $("settings-picture"));
  const fields = (list) => list.map(([key, schema]) => {
    if (key === "polygons") return new ZoneEditor(picture, said.polygons ?? [], takeZones).root;
    return field(key, schema, said[key] ?? schema.default, (value) => take(key, value));
  });
  $("settings-own").replaceChildren(...fields(own));
  $("settings-common").replaceChildren(...fields(common));
  $("settings-more").open = false;
  $("settings-dialog").showModal();
}

// Shows what the card shows, as long as the dialog is open.
function mirror(picture, canvas) {
  const context = canvas.getContext("2d");
  const draw = () => {
    if (!$("settings-dialog").open || canvas.hidden) return;
    if (!picture.hidden) {
      if (canvas.width !== picture.width || canvas.height !== picture.height) {
        Object.assign(canvas, { width: picture.width, height: picture.height });
      }
      context.drawImage(picture, 0, 0);
    } else context.clearRect(0, 0, canvas.width, canvas.height);
    requestAnimationFrame(draw);
  };
  requestAnimationFrame(draw);
}

function field(key, schema, value, take) {
  const row = document.createElement("div");
  row.className = "parameter";
  const label = document.createElement("label");
  const unit = key.match(/_(ms|s|px|fps)$/)?.[1] ?? "";
  label.textContent = effectLabel(unit ? key.slice(0, -unit.length - 1) : key);
  const input = control(schema, value, take);
  input.id = `parameter-${key}`;
  label.htmlFor = input.id;
  row.append(label, input);
  if (input.type === "range") row.append(read(input, unit));
  if (schema.description) {
    const hint = document.createElement("p");
    hint.className = "hint";
    hint.textContent = sentence(schema.description.replaceAll("`", ""));
    row.append(hint);
  }
  return row;
}

function control(schema, value, take) {
  if (schema.enum) return choice(schema.enum, value, take);
  if (schema.type === "boolean") {
    const input = Object.assign(document.createElement("input"), { type: "checkbox", checked: value });
    input.addEventListener("change", () => take(input.checked));
    return input;
  }
  if (schema.type === "number" || schema.type === "integer") return slider(schema, value, take);
  const input = Object.assign(document.createElement("input"), { type: "text", value: value ?? "" });
  if (schema.type !== "string") input.value = JSON.stringify(value ?? null);
  if (schema.maxLength) input.maxLength = schema.maxLength;
  input.addEventListener("input", () => take(schema.type === "string" ? input.value : parsed(input.value)));
  return input;
}

function choice(values, value, take) {
  const select = document.createElement("select");
  for (const one of values) {
    select.append(new Option(effectLabel(String(one)), one, false, one === value));
  }
  select.addEventListener("change", () => take(select.value));
  return select;
}

function slider(schema, value, take) {
  const isBounded = "minimum" in schema && "maximum" in schema;
  const input = Object.assign(document.createElement("input"), {
    type: isBounded ? "range" : "number",
    min: schema.minimum ?? "",
    max: schema.maximum ?? "",
    step: stepOf(schema),
    value,
  });
  input.addEventListener("input", () => { if (input.value !== "") take(Number(input.value)); });
  return input;
}

function stepOf({ type, minimum, maximum }) {
  const range = maximum - minimum; // not a number where there are no bounds
  if (range > 1000) return 10;
  if (type === "integer" || range > 50) return 1;
  return range <= 1 ? 0.005 : range > 1 ? 0.05 : "any";
}

// The value beside a slider.
function read(input, unit) {
  const output = document.createElement("output");
  const show = () => { output.textContent = `${Number(Number(input.value).toFixed(3))} ${unit}`; };
  input.addEventListener("input", show);
  show();
  return output;
}

// What has no form of its own is written as JSON; the daemon says what is wrong with it.
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
