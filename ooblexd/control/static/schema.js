// JSON Schema in words: one row a property, what is nested folded away.

import { element, prose } from "./prose.js";

const DEEPEST = 5;

// Follows $ref; what stands beside it is kept.
export function resolve(description, schema) {
  if (!schema?.$ref) return schema ?? {};
  const steps = schema.$ref.slice(2).split("/");
  const found = steps.reduce((inner, step) => inner[step], description);
  const { $ref, ...beside } = schema;
  return { ...resolve(description, found), ...beside };
}

function nameOf(schema) {
  return schema.$ref?.split("/").pop();
}

function choices(schema) {
  return schema.oneOf ?? schema.anyOf ?? [];
}

function range({ minimum, maximum }) {
  if (minimum === undefined && maximum === undefined) return "";
  return ` ${minimum ?? "…"} to ${maximum ?? "…"}`;
}

// A schema in a line, such as `integer 1 to 100` or `list of Effect`.
export function summarize(description, given) {
  const schema = resolve(description, given);
  if ("const" in schema) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" or ");
  const options = choices(schema);
  if (options.length) {
    const words = options.map((option) => summarize(description, option));
    return words.join(" or ").length < 60 ? words.join(" or ") : nameOf(given) ?? "one of several";
  }
  if (schema.type === "array") return `list of ${nameOf(schema.items ?? {}) ?? summarize(description, schema.items)}`;
  if (schema.type === "object" || schema.properties) return nameOf(given) ?? "object";
  return `${schema.type ?? "anything"}${range(schema)}`;
}

function isNested(description, given) {
  const schema = resolve(description, given);
  return Boolean(schema.properties || schema.additionalProperties?.$ref
    || (schema.items && isNested(description, schema.items))
    || choices(schema).some((option) => isNested(description, option)));
}

function row(description, name, given, isRequired, depth) {
  const schema = resolve(description, given);
  const about = element("div", "about", element("span", "type", summarize(description, given)));
  if (schema.default !== undefined) about.append(element("span", "default", `default ${JSON.stringify(schema.default)}`));
  if (schema.description) about.append(prose(schema.description));
  if (isNested(description, given)) about.append(folded(description, given, depth + 1));
  const key = element("div", "key", element("code", "", name));
  if (isRequired) key.append(element("span", "needed", "required"));
  return element("div", "row", key, about);
}

function folded(description, given, depth) {
  const fold = element("details", "fold", element("summary", "", "More"));
  fold.addEventListener("toggle", () => {
    if (fold.open && fold.childElementCount === 1) fold.append(describe(description, given, depth));
  });
  return fold;
}

// A schema in full. Answers name all their keys as required: only requests say so.
export function describe(description, given, depth = 0) {
  const schema = resolve(description, given);
  if (depth > DEEPEST) return element("span", "type", summarize(description, given));
  if (schema.type === "array" && schema.items) {
    const head = element("p", "hint", `A ${summarize(description, given)}.`);
    return element("div", "schema", head, describe(description, schema.items, depth));
  }
  if (schema.properties) {
    const needed = schema.additionalProperties === false ? schema.required ?? [] : [];
    const rows = Object.entries(schema.properties)
      .map(([name, inner]) => row(description, name, inner, needed.includes(name), depth));
    return element("div", "schema", ...rows);
  }
  const options = choices(schema);
  if (options.some((option) => isNested(description, option))) {
    const found = options.map((option) => {
      const inner = resolve(description, option);
      const title = inner.properties?.effect?.const ?? nameOf(option) ?? summarize(description, option);
      if (!isNested(description, option)) return element("p", "type", title);
      const fold = folded(description, option, depth + 1);
      fold.querySelector("summary").textContent = title;
      return fold;
    });
    return element("div", "schema", element("p", "hint", "One of"), ...found);
  }
  if (schema.additionalProperties?.$ref) {
    const head = element("p", "hint", "By name:");
    return element("div", "schema", head, describe(description, schema.additionalProperties, depth + 1));
  }
  return element("span", "type", summarize(description, given));
}

// The least that a request may say: what is required, and of the rest what has a default.
export function example(description, given) {
  const schema = resolve(description, given);
  if (schema.examples) return schema.examples[0];
  if (schema.default !== undefined) return schema.default;
  if ("const" in schema) return schema.const;
  if (schema.enum) return schema.enum[0];
  if (choices(schema).length) return example(description, choices(schema)[0]);
  if (schema.type === "array") return [example(description, schema.items)];
  if (schema.type === "object") {
    const needed = schema.required ?? Object.keys(schema.properties ?? {}).slice(0, 1);
    return Object.fromEntries(needed.map((name) => [name, example(description, schema.properties[name])]));
  }
  return { string: "", integer: schema.minimum ?? 0, number: schema.minimum ?? 0, boolean: true }[schema.type] ?? null;
}
