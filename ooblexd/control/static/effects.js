// Which effects there are, as the daemon tells them once, and what chains they make.

import { api } from "./api.js";

// Two ways to do one thing: who switches one on wants the other one off.
const ALTERNATIVES = [["blur_faces", "pixelate_faces"]];
const COMMON = ["effect", "mode", "on_failure", "deadline_ms"];

export let effects = [];

export async function loadEffects() {
  if (effects.length === 0) effects = (await api("GET", "/api/v1/effects")).items;
}

export const choosable = () => effects.filter(({ effect, is_available }) => effect !== "none" && is_available);

const kindOf = (name) => effects.find((kind) => kind.effect === name);

export const isPrivacy = (name) => Boolean(kindOf(name)?.is_privacy);

export function effectLabel(name) {
  const words = name.replaceAll("_", " ");
  return words[0].toUpperCase() + words.slice(1);
}

// The parameters of an effect as JSON schema, by name: its own, or those of every effect.
export function parametersOf(name) {
  const properties = Object.entries(kindOf(name)?.schema.properties ?? {});
  return {
    own: properties.filter(([key]) => !COMMON.includes(key)),
    common: properties.filter(([key]) => COMMON.includes(key) && key !== "effect"),
  };
}

// Whether it cannot run before somebody has told it something.
export function needsSaying(name) {
  const required = kindOf(name)?.schema.required ?? [];
  return required.some((key) => key !== "effect");
}

// The chain with one effect more. The daemon lists effects in the order in which they
// make sense: what looks for something first, what writes on the picture last.
export function withEffect(chain, added) {
  const rivals = ALTERNATIVES.find((names) => names.includes(added.effect)) ?? [];
  const kept = chain.filter(({ effect }) => effect !== added.effect && !rivals.includes(effect));
  const rank = (name) => effects.findIndex((kind) => kind.effect === name);
  const later = kept.findIndex(({ effect }) => rank(effect) > rank(added.effect));
  const place = later < 0 ? kept.length : later;
  return [...kept.slice(0, place), added, ...kept.slice(place)];
}

export const withoutEffect = (chain, name) => chain.filter(({ effect }) => effect !== name);

export function replaced(chain, changed) {
  return chain.map((one) => (one.effect === changed.effect ? changed : one));
}
