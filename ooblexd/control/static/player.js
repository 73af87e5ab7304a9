// Pictures of one stream onto a canvas.
//
// An <img> would show the stream too, but it keeps its last picture when the connection
// ends, and cannot say whether a picture is live or covered. So the parts are read here:
// each says what it is in X-Picture, only the newest is decoded, and when nothing comes
// the canvas is cleared. A picture that is old is never left standing.

const SILENT_MS = 2500; // output repeats covers and slates once a second
const RETRY_MS = 700;
const POLL_MS = 2000;
const LINE_END = 10;

export class Player {
  #name;
  #canvas;
  #context;
  #onPicture;
  #stop = null;
  #newest = null;
  #isDecoding = false;
  mode = "off";

  // onPicture({picture, ageMs}) for each one shown, onPicture(null) when there is none.
  constructor(name, canvas, onPicture) {
    this.#name = name;
    this.#canvas = canvas;
    this.#context = canvas.getContext("bitmaprenderer");
    this.#onPicture = onPicture;
  }

  // "stream": every frame by its own connection; "poll": a snapshot now and then, since
  // browsers open six connections a server and no more; "off": none.
  play(mode) {
    if (mode === this.mode) return;
    this.#stop?.abort();
    this.#stop = null;
    this.mode = mode;
    if (mode === "off") {
      this.#clear();
      return;
    }
    this.#stop = new AbortController();
    this.#run(mode === "stream" ? this.#stream : this.#poll, this.#stop.signal);
  }

  async #run(round, stop) {
    while (!stop.aborted) {
      try {
        await round.call(this, stop);
      } catch {
        // The network's errors are all one: try again.
      }
      if (stop.aborted) return;
      this.#clear();
      await pause(RETRY_MS, stop);
    }
  }

  async #stream(stop) {
    const silence = new AbortController();
    const signal = AbortSignal.any([stop, silence.signal]);
    let timer = setTimeout(() => silence.abort(), SILENT_MS);
    try {
      const response = await fetch(`/streams/${this.#name}/stream.mjpg`, { signal });
      if (!response.ok) return;
      for await (const part of parts(response.body.getReader())) {
        clearTimeout(timer);
        timer = setTimeout(() => silence.abort(), SILENT_MS);
        this.#take(part, stop);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  async #poll(stop) {
    for (;;) {
      const response = await fetch(`/streams/${this.#name}/snapshot.jpg`, { signal: stop });
      if (response.ok) {
        this.#take({ headers: response.headers, jpeg: await response.blob() }, stop);
      } else {
        this.#clear();
      }
      await pause(POLL_MS, stop);
      if (stop.aborted) return;
    }
  }

  #take(part, stop) {
    this.#newest = part;
    if (!this.#isDecoding) this.#decode(stop);
  }

  async #decode(stop) {
    this.#isDecoding = true;
    try {
      while (this.#newest && !stop.aborted) {
        const { headers, jpeg } = this.#newest;
        this.#newest = null;
        const bitmap = await createImageBitmap(jpeg).catch(() => null);
        if (stop.aborted || !bitmap) continue;
        if (this.#canvas.width !== bitmap.width || this.#canvas.height !== bitmap.height) {
          this.#canvas.width = bitmap.width;
          this.#canvas.height = bitmap.height;
        }
        this.#context.transferFromImageBitmap(bitmap);
        this.#canvas.hidden = false;
        const age = headers.get("x-frame-age-ms");
        this.#onPicture({
          picture: headers.get("x-picture") ?? "live",
          ageMs: age === null ? null : Number(age),
        });
      }
    } finally {
      this.#isDecoding = false;
    }
  }

  #clear() {
    this.#newest = null;
    this.#canvas.hidden = true;
    this.#context.transferFromImageBitmap(null);
    this.#onPicture(null);
  }
}

// Yields {headers, jpeg} for each part of multipart/x-mixed-replace.
async function* parts(reader) {
  const input = new Input(reader);
  for (;;) {
    let line = await input.line();
    while (line !== null && !line.startsWith("--")) line = await input.line();
    if (line === null || line.endsWith("--")) return;
    const headers = new Headers();
    for (line = await input.line(); line; line = await input.line()) {
      const colon = line.indexOf(":");
      headers.set(line.slice(0, colon), line.slice(colon + 1).trim());
    }
    if (line === null) return;
    const bytes = await input.bytes(Number(headers.get("content-length")));
    if (bytes === null) return;
    yield { headers, jpeg: new Blob(bytes, { type: "image/jpeg" }) };
  }
}

// Bytes of a stream, by line or by count, without joining what a Blob can join.
class Input {
  #reader;
  #chunk = new Uint8Array(0);

  constructor(reader) {
    this.#reader = reader;
  }

  async #more() {
    const { done, value } = await this.#reader.read();
    if (done) return false;
    this.#chunk = value;
    return true;
  }

  async line() {
    let text = "";
    for (;;) {
      const end = this.#chunk.indexOf(LINE_END);
      const upTo = end < 0 ? this.#chunk.length : end;
      text += String.fromCharCode(...this.#chunk.subarray(0, upTo));
      this.#chunk = this.#chunk.subarray(end < 0 ? upTo : end + 1);
      if (end >= 0) return text.replace(/\r$/, "");
      if (!(await this.#more())) return null;
    }
  }

  async bytes(count) {
    const pieces = [];
    while (count > 0) {
      if (this.#chunk.length === 0 && !(await this.#more())) return null;
      const piece = this.#chunk.subarray(0, count);
      this.#chunk = this.#chunk.subarray(piece.length);
      count -= piece.length;
      pieces.push(piece);
    }
    return pieces;
  }
}

function pause(ms, stop) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    stop.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
  });
}
