// The address of a camera that is being typed: it is tried once nothing was typed for a
// moment, and what is found there is told beneath.

import { api } from "./api.js";
import { isPublishedTo, tellProbe, tellPublished } from "./probe.js";

const CALM_MS = 700;

export class Address {
  #input;
  #told;
  #options;
  #soon = 0;
  #asking = null; // what ends the question that is under way

  // anyway: what may be done though no camera answers, a sentence.
  // begun() when the former answer is void, answered(found), or refused(problem).
  constructor(input, told, { anyway, begun, answered, refused }) {
    this.#input = input;
    this.#told = told;
    this.#options = { anyway, begun, answered, refused };
    input.addEventListener("input", () => this.#askSoon());
    input.closest("dialog").addEventListener("close", () => this.stop());
  }

  get value() {
    return this.#input.value.trim();
  }

  // Forgets what was asked and what was told.
  stop() {
    clearTimeout(this.#soon);
    this.#asking?.abort();
    this.#asking = null;
    this.#told.hidden = true;
  }

  #askSoon() {
    this.stop();
    this.#options.begun();
    this.#soon = setTimeout(() => this.#ask(), CALM_MS);
  }

  async #ask() {
    const source = this.value;
    if (!source) return;
    this.#asking = new AbortController();
    const { signal } = this.#asking;
    const { anyway, answered, refused } = this.#options;
    if (isPublishedTo(source)) {
      tellPublished(this.#told);
      return;
    }
    tellProbe(this.#told, null, anyway);
    try {
      const found = await api("POST", "/api/v1/probe", { source }, signal);
      if (signal.aborted) return;
      tellProbe(this.#told, found, anyway);
      answered(found);
    } catch (problem) {
      if (signal.aborted) return;
      this.stop();
      refused(problem);
    }
  }
}
