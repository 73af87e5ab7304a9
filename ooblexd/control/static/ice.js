// The STUN and TURN servers that the daemon names (RFC 9725, section 4.6).

const LINK = /<([^>]*)>((?:\s*;\s*[\w-]+="(?:[^"\\]|\\.)*")*)/g;
const PARAMETER = /;\s*([\w-]+)="((?:[^"\\]|\\.)*)"/g;

// Returns them as RTCPeerConnection wants them; none where they cannot be asked for.
export async function iceServers(path) {
  try {
    const response = await fetch(path, { method: "OPTIONS" });
    return parseLinks(response.headers.get("link") ?? "");
  } catch {
    return []; // what comes next says why
  }
}

export function parseLinks(header) {
  const servers = [];
  for (const [, urls, parameters] of header.matchAll(LINK)) {
    const said = {};
    for (const [, key, value] of parameters.matchAll(PARAMETER)) {
      said[key] = value.replace(/\\(.)/g, "$1");
    }
    if (said.rel !== "ice-server") continue;
    const { username, credential } = said;
    servers.push(username === undefined ? { urls } : { urls, username, credential });
  }
  return servers;
}
