// The daemon's API, and what it says when it refuses.

export class Problem extends Error {
  constructor(body, status) {
    super(body.detail ?? body.title ?? `HTTP ${status}`);
    this.status = status;
    this.errors = body.errors ?? [];
  }
}

export async function api(method, path, body, signal) {
  const options = { method, headers: { Accept: "application/json" }, cache: "no-store", signal };
  if (method !== "GET") options.headers["Content-Type"] = "application/json";
  if (body !== undefined) options.body = JSON.stringify(body);
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Problem({ detail: "The daemon does not answer." }, 0);
  }
  const isJson = /json/.test(response.headers.get("content-type") ?? "");
  const answer = isJson ? await response.json() : {};
  if (!response.ok && !("checks" in answer)) throw new Problem(answer, response.status);
  return answer;
}
