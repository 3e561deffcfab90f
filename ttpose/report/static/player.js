// The clip's pictures on a canvas, one at a time, with the skeletons of each stage.
class Player {
  constructor(values, onMove) {
    this.film = values.film;
    this.skeleton = values.skeleton;
    const [base, refined, personalized, smoothed] = values.tracks;
    this.tracks = { base, refined, personalized, smoothed };
    this.onMove = onMove;
    this.count = this.film.indices.length;
    this.position = 0;
    this.mode = "personalized";
    this.speed = 1;
    this.playing = false;
    this.zoomed = false;
    this.pictures = new Map(); // a few decoded ones, the oldest first
    this.shown = null;
    this.canvas = document.getElementById("canvas");
    this.ctx = this.canvas.getContext("2d");
    new ResizeObserver(() => this.fit()).observe(this.canvas.parentElement);
    this.fit();
    this.move(0);
  }

  // The canvas has the screen's pixels, so that lines are sharp.
  fit() {
    const { width, height } = this.film;
    const room = this.canvas.parentElement.clientWidth;
    const tall = Math.max(240, Math.min(0.68 * window.innerHeight, 720));
    const scale = Math.min(room / width, tall / height);
    const ratio = window.devicePixelRatio || 1;
    const size = [width * scale, height * scale].map((side) => Math.max(1, Math.round(side)));
    if (this.size && size.every((side, i) => side === this.size[i]) && ratio === this.ratio) return;
    this.size = size;
    this.ratio = ratio;
    [this.canvas.style.width, this.canvas.style.height] = size.map((side) => side + "px");
    [this.canvas.width, this.canvas.height] = size.map((side) => Math.round(side * ratio));
    this.draw();
  }

  move(position) {
    this.position = Math.max(0, Math.min(this.count - 1, position));
    for (let ahead = 0; ahead < 6; ahead += 1) this.fetch((this.position + ahead) % this.count);
    this.draw();
    this.onMove(this);
  }

  fetch(position) {
    const data = this.film.pictures[position];
    if (!data || this.pictures.has(position)) return;
    const picture = new Image();
    this.pictures.set(position, picture);
    if (this.pictures.size > 40) this.pictures.delete(this.pictures.keys().next().value);
    picture.onload = () => { if (position === this.position) this.draw(); };
    picture.src = data;
  }

  draw() {
    const { ctx, canvas, film, position } = this;
    const picture = this.pictures.get(position);
    if (picture && picture.complete && picture.naturalWidth) this.shown = picture;
    if (film.pictures[position] === null) this.shown = null; // damaged
    const view = this.zoomed ? this.windows()[position] : { x: 0, y: 0, width: film.width };
    const scale = canvas.width / view.width;
    ctx.fillStyle = "#0b0d10";
    ctx.fillRect(0, 0, canvas.width, canvas.height);
    ctx.imageSmoothingQuality = "high";
    const origin = [-view.x * scale, -view.y * scale];
    if (this.shown) ctx.drawImage(this.shown, ...origin, film.width * scale, film.height * scale);
    const place = (x, y) => [(x - view.x) * scale, (y - view.y) * scale];
    const grow = this.ratio;
    const top = this.mode === "all" ? "personalized" : this.mode;
    for (const below of this.mode === "all" ? ["base", "refined"] : []) {
      Skeleton.draw(ctx, this.tracks[below][position], this.skeleton, place, { below, grow });
    }
    Skeleton.draw(ctx, this.tracks[top][position], this.skeleton, place, { grow });
  }

  // For each picture the part around the person, of the whole picture's shape, moving smoothly.
  windows() {
    if (this.parts) return this.parts;
    const { width, height } = this.film;
    const shape = width / height;
    let last = [0, 0, width, height];
    const boxes = this.tracks.personalized.map((pose) => {
      const xs = pose.filter((v, i) => i % 3 === 0 && v !== null);
      const ys = pose.filter((v, i) => i % 3 === 1 && v !== null);
      if (xs.length) last = [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
      return last;
    });
    const reach = 12;
    this.parts = boxes.map((_, i) => {
      const near = boxes.slice(Math.max(0, i - reach), i + reach + 1);
      const mean = (side) => near.reduce((sum, box) => sum + box[side], 0) / near.length;
      const [x0, y0, x1, y1] = [0, 1, 2, 3].map(mean);
      const wide = Math.min(width, 1.35 * Math.max(x1 - x0, (y1 - y0) * shape, 0.12 * width));
      const inside = (middle, part, whole) => Math.max(0, Math.min(whole - part, middle - part / 2));
      return { x: inside((x0 + x1) / 2, wide, width), y: inside((y0 + y1) / 2, wide / shape, height), width: wide };
    });
    return this.parts;
  }

  show(mode) {
    this.mode = mode;
    this.draw();
    this.onMove(this);
  }

  zoom(on) {
    this.zoomed = on;
    this.draw();
  }

  play(on) {
    if (on === this.playing || this.count < 2) return;
    this.playing = on;
    this.onMove(this);
    if (on) this.run();
  }

  // The film keeps its own time, whatever the screen's rate, and starts again at its end.
  run() {
    const { times } = this.film;
    let from = null;
    let start = this.position === this.count - 1 ? times[0] : times[this.position];
    const step = (now) => {
      if (!this.playing) return;
      if (from === null || this.jumped) {
        if (this.jumped) start = times[this.position];
        from = now;
        this.jumped = false;
      }
      let time = start + ((now - from) / 1000) * this.speed;
      const end = times[this.count - 1] + (times[this.count - 1] - times[0]) / (this.count - 1);
      if (time >= end) {
        time = start = times[0];
        from = now;
      }
      const next = Player.last(times, time);
      if (next !== this.position) this.move(next);
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  // A jump by hand; playing goes on from there.
  seek(position) {
    this.jumped = true;
    this.move(position);
  }

  seekFrame(frame) {
    const { indices } = this.film;
    const before = Player.last(indices, frame);
    const after = Math.min(before + 1, this.count - 1);
    this.seek(Math.abs(indices[after] - frame) < Math.abs(indices[before] - frame) ? after : before);
  }

  seekTime(time) {
    const { times } = this.film;
    const before = Player.last(times, time);
    const after = Math.min(before + 1, this.count - 1);
    this.seek(Math.abs(times[after] - time) < Math.abs(times[before] - time) ? after : before);
  }

  // Position of the last value that is not more than `value`, in rising values.
  static last(values, value) {
    let [low, high] = [0, values.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (values[middle] <= value) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
