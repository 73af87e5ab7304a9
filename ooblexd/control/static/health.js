// How the daemon is: a word in the bar, all checks in a dialog.

import { api } from "./api.js";
import { $, sentence } from "./dom.js";

let health = null;

export async function refreshHealth() {
  try {
    health = await api("GET", "/health");
  } catch {
    health = { status: "unreachable", checks: {} };
  }
  $("health").dataset.status = health.status;
  $("health-text").textContent = sentence(health.status);
  showConfig(health.checks.config);
}

// What is wrong with the configuration file, until it is mended and loaded.
function showConfig(check) {
  const isFault = Boolean(check) && check.status !== "healthy";
  $("config").hidden = !isFault;
  if (!isFault || $("config").dataset.reason === check.reason) return;
  $("config").dataset.reason = check.reason; // said once, not each time it is asked
  const [fault, ...problems] = check.reason.split("\n");
  $("config-fault").textContent = sentence(fault);
  $("config-problems").replaceChildren(...problems.map((problem) => {
    const item = document.createElement("li");
    item.textContent = problem;
    return item;
  }));
}

function duration(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 172800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} days`;
}

export function showHealth() {
  if (!health) return;
  $("health-about").textContent = health.version ? `ooblexd ${health.version}, running for ${duration(health.uptime_s)}` : "The daemon does not answer.";
  $("checks").replaceChildren(...Object.entries(health.checks).map(([name, check]) => {
    const item = document.createElement("li");
    item.dataset.status = check.status;
    const dot = document.createElement("span");
    dot.className = "dot";
    const title = document.createElement("span");
    title.textContent = name.replace(":", " ");
    item.append(dot, title);
    if (check.reason) {
      const reason = document.createElement("p");
      reason.textContent = sentence(check.reason);
      item.append(reason);
    }
    return item;
  }));
  $("health-dialog").showModal();
}
