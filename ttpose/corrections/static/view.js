// The frame on a canvas with its joints: drawing, zooming, panning and dragging, by mouse, pen or touch.
class View {
  constructor(canvas, clip, { onSelect, onPlace }) {
    this.canvas = canvas;
    this.ctx = canvas.getContext("2d");
    this.clip = clip;
    this.onSelect = onSelect;
    this.onPlace = onPlace;
    this.index = 0;
    this.selected = null;
    this.mode = "after";
    this.follow = true; // the view keeps to the person until it is moved by hand
    this.scale = 1;
    this.origin = [0, 0]; // the canvas's corner in picture pixels
    this.pictures = new Map(); // the oldest first
    this.pointers = new Map();
    this.drag = null;
    this.loupe = null;
    this.coarse = matchMedia("(pointer: coarse)").matches;
    new ResizeObserver(() => this.resize()).observe(canvas);
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.moved(event));
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, (event) => this.up(event));
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.resize();
  }

  resize() {
    const box = this.canvas.getBoundingClientRect();
    this.ratio = window.devicePixelRatio || 1;
    this.size = [Math.max(box.width, 1), Math.max(box.height, 1)];
    [this.canvas.width, this.canvas.height] = this.size.map((side) => Math.round(side * this.ratio));
    if (this.follow) this.fit();
    this.draw();
  }

  show(index) {
    this.index = index;
    if (this.follow) this.fit();
    this.draw();
    for (const near of [index, index + 1, index - 1, index + 2]) this.fetch(near);
  }

  async fetch(index) {
    if (index < 0 || index >= this.clip.count || this.pictures.has(index)) return;
    this.pictures.set(index, undefined);
    for (const old of this.pictures.keys()) {
      if (this.pictures.size <= 24) break;
      if (old !== this.index) this.pictures.delete(old);
    }
    try {
      this.pictures.set(index, await Server.picture(index));
    } catch {
      this.pictures.delete(index); // asked for again when it is shown again
    }
    if (index === this.index) this.draw();
  }

  // The person with some air, or the whole picture where nobody is.
  fit(whole = false) {
    const { width, height } = this.clip;
    const seen = whole ? [] : this.clip.joints(this.index).filter((joint) => joint.x !== null);
    let box = [-0.5, -0.5, width - 0.5, height - 0.5];
    if (seen.length > 2) {
      const [xs, ys] = [seen.map((joint) => joint.x), seen.map((joint) => joint.y)];
      const air = 0.18 * Math.max(Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys), 40);
      box = [Math.min(...xs) - air, Math.min(...ys) - air, Math.max(...xs) + air, Math.max(...ys) + air];
    }
    this.scale = Math.min(this.size[0] / (box[2] - box[0]), this.size[1] / (box[3] - box[1]));
    const middle = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];
    this.origin = middle.map((value, axis) => value - this.size[axis] / 2 / this.scale);
    this.follow = !whole;
  }

  zoom(factor, at = this.size.map((side) => side / 2)) {
    const fixed = this.toPicture(at);
    const { width, height } = this.clip;
    const least = 0.5 * Math.min(this.size[0] / width, this.size[1] / height);
    this.scale = Math.max(least, Math.min(40, this.scale * factor));
    this.origin = fixed.map((value, axis) => value - at[axis] / this.scale);
    this.follow = false;
    this.draw();
  }

  toPicture(at) {
    return at.map((value, axis) => this.origin[axis] + value / this.scale);
  }

  toCanvas(x, y) {
    return [(x - this.origin[0]) * this.scale, (y - this.origin[1]) * this.scale];
  }

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  // The joint under a pointer; the selected one wins among those in reach.
  hit(at, touch) {
    const reach = touch ? 30 : 14;
    let [best, least] = [null, Infinity];
    this.clip.joints(this.index).forEach((joint, k) => {
      if (joint.x === null) return;
      const [x, y] = this.toCanvas(joint.x, joint.y);
      const away = Math.hypot(x - at[0], y - at[1]) - (k === this.selected ? 6 : 0);
      if (away < Math.min(reach, least)) [best, least] = [k, away];
    });
    return best;
  }

  down(event) {
    if (event.button > 0 && event.button !== 1) return;
    event.preventDefault();
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    const at = this.at(event);
    this.pointers.set(event.pointerId, at);
    if (this.pointers.size > 1) {
      this.drag = null; // two fingers zoom and pan
      this.loupe = null;
      this.draw();
      return;
    }
    const touch = event.pointerType !== "mouse";
    const k = event.button === 1 || this.mode === "before" ? null : this.hit(at, touch);
    if (k === null) {
      this.drag = { pan: true, start: at, far: false };
      return;
    }
    const joint = this.clip.joints(this.index)[k];
    this.drag = { k, start: at, from: [joint.x, joint.y], touch, far: false };
    this.onSelect(k);
  }

  moved(event) {
    const before = this.pointers.get(event.pointerId);
    const at = this.at(event);
    if (!before) {
      this.canvas.style.cursor = this.mode !== "before" && this.hit(at, false) !== null ? "grab" : "default";
      return;
    }
    if (this.pointers.size === 2) this.pinch(event.pointerId, before, at);
    this.pointers.set(event.pointerId, at);
    if (!this.drag) return;
    const way = at.map((value, axis) => value - this.drag.start[axis]);
    this.drag.far = this.drag.far || Math.hypot(...way) > 3;
    if (!this.drag.far) return;
    if (this.drag.pan) {
      this.origin = this.origin.map((value, axis) => value - (at[axis] - before[axis]) / this.scale);
      this.follow = false;
    } else {
      // A joint moves as far as the pointer does, so that a finger beside it does not cover it.
      this.drag.to = this.drag.from.map((value, axis) => value + way[axis] / this.scale);
      this.loupe = this.drag.touch ? at : null;
    }
    this.draw();
  }

  pinch(id, before, at) {
    const other = [...this.pointers].find(([key]) => key !== id)[1];
    const span = (a, b) => Math.max(Math.hypot(a[0] - b[0], a[1] - b[1]), 1);
    const middle = [0, 1].map((axis) => (at[axis] + other[axis]) / 2);
    const was = [0, 1].map((axis) => (before[axis] + other[axis]) / 2);
    this.origin = this.origin.map((value, axis) => value - (middle[axis] - was[axis]) / this.scale);
    this.zoom(span(at, other) / span(before, other), middle);
  }

  up(event) {
    if (!this.pointers.delete(event.pointerId)) return;
    const { drag } = this;
    this.drag = this.pointers.size ? this.drag : null;
    this.loupe = null;
    if (drag && drag.to && event.type === "pointerup") this.onPlace(drag.k, ...drag.to);
    else if (drag && drag.pan && !drag.far && event.type === "pointerup") this.tap(drag.start);
    this.draw();
  }

  // A tap beside all joints puts a selected joint there that has no place yet.
  tap(at) {
    if (this.selected === null || this.mode === "before") return;
    if (this.clip.joints(this.index)[this.selected].x === null) this.onPlace(this.selected, ...this.toPicture(at));
  }

  wheel(event) {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 16 : 1;
    this.zoom(Math.exp(-event.deltaY * lines * 0.0016), this.at(event));
  }

  draw() {
    const { ctx, canvas, clip, ratio } = this;
    ctx.setTransform(1, 0, 0, 1, 0, 0);
    ctx.fillStyle = "#0b0d10";
    ctx.fillRect(0, 0, canvas.width, canvas.height);
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    const picture = this.pictures.get(this.index);
    const corner = this.toCanvas(-0.5, -0.5); // pixel centres are at integers
    ctx.imageSmoothingEnabled = this.scale < 4;
    if (picture) ctx.drawImage(picture, ...corner, clip.width * this.scale, clip.height * this.scale);
    else this.say(picture === null ? "This frame is damaged and has no picture." : "Loading the frame …");
    const before = clip.before && this.mode !== "after" ? Clip.unpacked(clip.before[this.index], clip.names.length) : null;
    if (before) this.skeleton(before, { pale: true });
    if (this.mode !== "before") {
      const joints = clip.joints(this.index);
      if (this.drag && this.drag.to) {
        const [x, y] = this.drag.to;
        joints[this.drag.k] = { ...joints[this.drag.k], x, y, score: 1, source: "corrected" };
      }
      this.skeleton(joints, {});
      if (this.loupe) this.magnify(joints[this.drag.k]);
    }
  }

  say(text) {
    this.ctx.fillStyle = "#a3abb8";
    this.ctx.font = "15px system-ui, sans-serif";
    this.ctx.textAlign = "center";
    this.ctx.fillText(text, this.size[0] / 2, this.size[1] / 2);
  }

  colour(names) {
    const limbs = names.some((name) => /elbow|wrist|knee|ankle|toe|heel/.test(name));
    if (names.length === 2 && !limbs) return "#f0f0f0";
    const side = ["left_", "right_"].find((start) => names.every((name) => name.startsWith(start)));
    return { left_: "#e69f00", right_: "#56b4e9" }[side] || "#f0f0f0";
  }

  skeleton(joints, { pale = false }) {
    const { ctx, clip } = this;
    const places = joints.map(({ x, y }) => (x === null ? null : this.toCanvas(x, y)));
    const line = (a, b, width, colour) => {
      ctx.strokeStyle = colour;
      ctx.lineWidth = width;
      ctx.beginPath();
      ctx.moveTo(...a);
      ctx.lineTo(...b);
      ctx.stroke();
    };
    ctx.lineCap = "round";
    const limbs = clip.skeleton.limbs.filter(([a, b]) => places[a] && places[b]);
    const colourOf = (ends) => (pale ? "#f590c9" : this.colour(ends.map((k) => clip.names[k])));
    for (const [a, b] of limbs) line(places[a], places[b], pale ? 3.5 : 5, "rgb(0 0 0 / 0.55)");
    for (const [a, b] of limbs) line(places[a], places[b], pale ? 1.8 : 2.6, colourOf([a, b]));
    if (pale) return;
    const order = joints.map((_, k) => k).sort((a, b) => (a === this.selected) - (b === this.selected));
    for (const k of order) if (places[k]) this.joint(places[k], joints[k], k);
  }

  // Filled with a white edge: corrected. Dashed: hidden. Small with a dark edge: predicted; amber around it: doubted.
  joint([x, y], joint, k) {
    const { ctx } = this;
    const fixed = joint.source === "corrected";
    const radius = (fixed ? 6.5 : 5) * (this.coarse ? 1.25 : 1);
    const circle = (size, { fill, stroke, width = 2, dash = [] }) => {
      ctx.beginPath();
      ctx.setLineDash(dash);
      ctx.arc(x, y, size, 0, 2 * Math.PI);
      if (fill) { ctx.fillStyle = fill; ctx.fill(); }
      if (stroke) { ctx.strokeStyle = stroke; ctx.lineWidth = width; ctx.stroke(); }
      ctx.setLineDash([]);
    };
    const colour = this.colour([this.clip.names[k]]);
    if (!fixed && this.doubted && this.doubted.has(k)) circle(radius + 5, { stroke: "#ffd23f", width: 2, dash: [3, 3] });
    circle(radius + 1.5, { fill: "rgb(0 0 0 / 0.7)" });
    if (joint.state === "hidden") circle(radius, { fill: "#20242b", stroke: colour, width: 2.5, dash: [3, 2.5] });
    else circle(radius, { fill: colour, stroke: fixed ? "#fff" : "#141414", width: fixed ? 2.2 : 1.2 });
    if (k !== this.selected) return;
    circle(radius + 5, { stroke: "#fff", width: 2 });
    circle(radius + 7, { stroke: "#141414", width: 1.5 });
    if (!this.loupe) this.label(x, y, radius, this.clip.names[k].replaceAll("_", " ") + (joint.state === "hidden" ? ", hidden" : ""));
  }

  label(x, y, radius, text) {
    const { ctx } = this;
    ctx.font = "600 13px system-ui, sans-serif";
    ctx.textAlign = "left";
    const wide = ctx.measureText(text).width + 14;
    const left = x + radius + 12 + wide < this.size[0] ? x + radius + 12 : x - radius - 12 - wide;
    ctx.fillStyle = "rgb(0 0 0 / 0.78)";
    ctx.beginPath();
    ctx.roundRect(left, y - 12, wide, 24, 7);
    ctx.fill();
    ctx.fillStyle = "#fff";
    ctx.fillText(text, left + 7, y + 4.5);
  }

  // What a finger covers, twice as large in the corner away from it.
  magnify(joint) {
    const { ctx, ratio } = this;
    const side = 120;
    const [x, y] = this.toCanvas(joint.x, joint.y);
    const left = this.loupe[0] < this.size[0] / 2 ? this.size[0] - side - 8 : 8;
    const part = side / 2;
    const copy = document.createElement("canvas");
    copy.width = copy.height = Math.round(part * ratio);
    copy.getContext("2d").drawImage(this.canvas, -(x - part / 2) * ratio, -(y - part / 2) * ratio);
    ctx.save();
    ctx.beginPath();
    ctx.roundRect(left, 8, side, side, 12);
    ctx.clip();
    ctx.drawImage(copy, left, 8, side, side);
    ctx.strokeStyle = "#fff";
    ctx.lineWidth = 3;
    ctx.stroke();
    ctx.restore();
  }
}
