// Draws polygons on the picture: drag for a rectangle, or set corner after corner.
//
// Corners are kept in shares of the picture, from its left and its top, as the daemon
// wants them.

const NEAR_PX = 12;
const LEAST_SHARE = 0.01;

export class ZoneEditor {
  #polygons;
  #open = []; // the corners of a polygon that is not closed yet
  #drag = null; // {from, to} of a rectangle, or {polygon, corner} of a moved corner
  #canvas;
  #context;
  #picture;
  #onChange;
  #buttons;

  // picture: a canvas that shows the stream; onChange(polygons) with each that is closed.
  constructor(picture, polygons, onChange) {
    this.#polygons = structuredClone(polygons);
    this.#picture = picture;
    this.#onChange = onChange;
    this.#canvas = document.createElement("canvas");
    this.#canvas.className = "zones";
    this.#canvas.tabIndex = 0;
    this.#canvas.setAttribute("aria-label", "Zones: drag over what is to be covered");
    this.#context = this.#canvas.getContext("2d");
    this.#buttons = document.createElement("div");
    this.#buttons.className = "zone-buttons";
    this.#button("Remove the last", () => this.#undo());
    this.#button("Remove all", () => this.#clear());
    this.root = document.createElement("div");
    this.root.className = "zone-editor";
    const hint = document.createElement("p");
    hint.className = "hint";
    hint.textContent = "Drag over what is to be covered; or click corner after corner, and the first one again. Corners can be moved.";
    this.root.append(this.#canvas, this.#buttons, hint);
    this.#canvas.addEventListener("pointerdown", (event) => this.#down(event));
    this.#canvas.addEventListener("pointermove", (event) => this.#move(event));
    this.#canvas.addEventListener("pointerup", (event) => this.#up(event));
    this.#canvas.addEventListener("keydown", (event) => {
      if (event.key === "Enter") { event.preventDefault(); this.#close(); }
      if (event.key === "Backspace" || event.key === "Delete") this.#undo();
    });
    requestAnimationFrame(() => this.#draw());
  }

  #button(text, act) {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: text });
    button.addEventListener("click", act);
    this.#buttons.append(button);
  }

  #at(event) {
    const { left, top, width, height } = this.#canvas.getBoundingClientRect();
    const share = (value) => Math.min(1, Math.max(0, value));
    return [share((event.clientX - left) / width), share((event.clientY - top) / height)];
  }

  #isNear([x, y], [u, v]) {
    const { width, height } = this.#canvas.getBoundingClientRect();
    return Math.hypot((x - u) * width, (y - v) * height) < NEAR_PX;
  }

  #down(event) {
    const at = this.#at(event);
    this.#canvas.setPointerCapture(event.pointerId);
    for (const polygon of this.#polygons) {
      const corner = polygon.findIndex((one) => this.#isNear(one, at));
      if (corner >= 0 && this.#open.length === 0) {
        this.#drag = { polygon, corner };
        return;
      }
    }
    this.#drag = { from: at, to: at };
  }

  #move(event) {
    if (!this.#drag) return;
    const at = this.#at(event);
    if (this.#drag.polygon) this.#drag.polygon[this.#drag.corner] = at;
    else this.#drag.to = at;
  }

  #up(event) {
    const drag = this.#drag;
    this.#drag = null;
    if (!drag) return;
    if (drag.polygon) {
      this.#tell();
      return;
    }
    const [[x, y], [u, v]] = [drag.from, this.#at(event)];
    if (this.#isNear(drag.from, [u, v])) this.#corner([u, v]);
    else if (this.#open.length === 0) this.#add([[x, y], [u, y], [u, v], [x, v]]);
  }

  #corner(at) {
    if (this.#open.length > 2 && this.#isNear(this.#open[0], at)) this.#close();
    else this.#open.push(at);
  }

  #close() {
    if (this.#open.length > 2) this.#add(this.#open);
    this.#open = [];
  }

  #add(polygon) {
    const xs = polygon.map(([x]) => x);
    const ys = polygon.map(([, y]) => y);
    const isTiny = Math.max(...xs) - Math.min(...xs) < LEAST_SHARE || Math.max(...ys) - Math.min(...ys) < LEAST_SHARE;
    if (isTiny) return;
    this.#polygons.push(polygon);
    this.#tell();
  }

  #undo() {
    if (this.#open.length > 0) this.#open.pop();
    else if (this.#polygons.pop()) this.#tell();
  }

  #clear() {
    this.#open = [];
    this.#polygons = [];
    this.#tell();
  }

  #tell() {
    this.#onChange(structuredClone(this.#polygons));
  }

  // As long as somebody sees it: the picture goes on while one draws.
  #draw() {
    if (!this.root.isConnected) return;
    const { width, height } = this.#picture.hidden ? { width: 640, height: 360 } : this.#picture;
    if (this.#canvas.width !== width || this.#canvas.height !== height) Object.assign(this.#canvas, { width, height });
    const context = this.#context;
    context.clearRect(0, 0, width, height);
    if (!this.#picture.hidden) context.drawImage(this.#picture, 0, 0, width, height);
    context.lineWidth = Math.max(2, width / 400);
    for (const polygon of this.#polygons) this.#outline(polygon, true);
    if (this.#drag?.to) {
      const { from: [x, y], to: [u, v] } = this.#drag;
      if (this.#open.length === 0) this.#outline([[x, y], [u, y], [u, v], [x, v]], true);
    }
    if (this.#open.length > 0) this.#outline(this.#open, false);
    requestAnimationFrame(() => this.#draw());
  }

  #outline(polygon, isClosed) {
    const { width, height } = this.#canvas;
    const context = this.#context;
    context.beginPath();
    polygon.forEach(([x, y], index) => context[index ? "lineTo" : "moveTo"](x * width, y * height));
    if (isClosed) context.closePath();
    context.fillStyle = "rgb(125 147 255 / 30%)";
    context.strokeStyle = "#7d93ff";
    if (isClosed) context.fill();
    context.stroke();
    context.fillStyle = "#fff";
    for (const [x, y] of polygon) {
      context.beginPath();
      context.arc(x * width, y * height, Math.max(4, width / 200), 0, 2 * Math.PI);
      context.fill();
      context.stroke();
    }
  }
}
