// Curves over time (uPlot), each with a playhead that follows the player and moves it.
class Plots {
  constructor(values, onSeek) {
    this.values = values.plots;
    this.losses = values.losses;
    this.onSeek = onSeek;
    this.time = 0;
    this.plots = [];
    this.choice = { confidence: "all", angle: null };
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", () => this.build());
    const resize = new ResizeObserver(() => this.resize());
    document.querySelectorAll(".plot").forEach((place) => resize.observe(place));
  }

  static colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  }

  build() {
    this.plots.forEach((plot) => plot.destroy());
    this.plots = [];
    const { speed, jitter, confidence, angles } = this.values;
    const stages = [
      { label: "base", colour: "stage-base", dash: [5, 4] },
      { label: "refined", colour: "stage-refined", dash: [1, 3] },
      { label: "personalized", colour: "personal" },
      { label: "smoothed", colour: "smoothed" },
    ].slice(0, speed.length);
    if (this.choice.angle) this.addAngles(stages.length);
    this.add("confidence", "Confidence", confidence[this.choice.confidence], stages, { range: [0, 1], digits: 2 });
    this.add("speed", "Speed in torso lengths a second", speed, stages, { digits: 2 });
    this.add("jitter", "Jitter in percent of the person's box", jitter, stages, { digits: 2 });
    this.addLosses();
  }

  // Both sides of a limb, or the one line of the trunk or the pelvis.
  addAngles(stages) {
    const { angles } = this.values;
    const name = this.choice.angle;
    const sides = ["left", "right"].filter((side) => angles[`${side}_${name}`]);
    const curves = sides.length ? sides.flatMap((side) => angles[`${side}_${name}`]) : angles[name];
    const lines = (sides.length ? sides : ["middle"]).flatMap((side) => {
      const label = side === "middle" ? name : side;
      const colour = side === "middle" ? "personal" : side;
      return [
        { label: `${label} base`, colour, dash: [4, 4], width: 1.2 },
        { label: `${label} refined`, colour, dash: [1, 3], width: 1.2 },
        { label, colour },
        { label: `${label} smoothed`, colour, width: 3.2, dash: [1, 5] },
      ].slice(0, stages);
    });
    this.add("angles", `${name} angle in degrees`, curves, lines, { digits: 0, unit: "°", least: 20, spans: this.values.repetitions });
  }

  add(id, title, curves, lines, { range, digits, unit = "", least = 0, spans = [] }) {
    const place = document.getElementById("plot-" + id);
    if (!place) return;
    const said = lines.map((line, i) => `${line.label}: ${Plots.summary(curves[i], digits, unit)}`).join("; ");
    place.setAttribute("role", "group");
    place.setAttribute("aria-label", `${title} over time. ${said}`);
    const show = (value) => (value === null || value === undefined ? "–" : value.toFixed(digits) + unit);
    const series = lines.map((line) => ({
      label: line.label,
      stroke: () => Plots.colour(line.colour),
      width: line.width || 1.8,
      dash: line.dash,
      points: { show: false },
      value: (_, value) => show(value),
    }));
    const scale = range
      ? { range: () => range }
      : { range: (_, low, high) => Plots.around(low, high, least) };
    const options = this.options(place, scale, unit);
    if (spans.length) options.plugins.push(Plots.marks(spans));
    options.series = [{}, ...series];
    options.legend.markers = { width: 3, dash: (_, i) => (!lines[i - 1]?.dash ? "solid" : lines[i - 1].dash[0] > 1 ? "dashed" : "dotted") };
    this.plots.push(new uPlot(options, [this.values.times, ...curves], place));
  }

  options(place, scale, unit) {
    const axis = { stroke: () => Plots.colour("quiet"), grid: { stroke: () => Plots.colour("line"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
    return {
      width: Math.max(place.clientWidth, 120),
      height: 150,
      cursor: { show: false }, // the playhead is the cursor
      legend: { live: true, isolate: false },
      scales: { x: { time: false }, y: scale },
      axes: [
        { ...axis, size: 26, gap: 4, values: (_, ticks) => ticks.map((tick) => tick + " s") },
        { ...axis, size: 44, gap: 4, values: (_, ticks) => ticks.map((tick) => tick + unit) },
      ],
      plugins: [this.playhead()],
    };
  }

  // Shaded stretches with their numbers, below the curves.
  static marks(spans) {
    const drawAxes = (plot) => {
      const { ctx, bbox } = plot;
      ctx.save();
      ctx.font = `600 ${11 * devicePixelRatio}px system-ui, sans-serif`;
      ctx.textAlign = "center";
      spans.forEach(([start, end], i) => {
        const [left, right] = [start, end].map((time) => plot.valToPos(time, "x", true));
        ctx.globalAlpha = 0.14;
        ctx.fillStyle = Plots.colour("personal");
        ctx.fillRect(left, bbox.top, Math.max(right - left, 1), bbox.height);
        ctx.globalAlpha = 1;
        ctx.fillStyle = Plots.colour("quiet");
        ctx.fillText(String(i + 1), (left + right) / 2, bbox.top + 12 * devicePixelRatio);
      });
      ctx.restore();
    };
    return { hooks: { drawClear: drawAxes } };
  }

  // The curve of angles as a picture, with its name and the page's ground.
  picture(title) {
    const plot = this.plots.find((each) => each.root.parentElement.id === "plot-angles");
    const source = plot.ctx.canvas;
    const head = Math.round(28 * devicePixelRatio);
    const canvas = Object.assign(document.createElement("canvas"), { width: source.width, height: source.height + head });
    const ctx = canvas.getContext("2d");
    ctx.fillStyle = Plots.colour("card");
    ctx.fillRect(0, 0, canvas.width, canvas.height);
    ctx.drawImage(source, 0, head);
    ctx.font = `600 ${13 * devicePixelRatio}px system-ui, sans-serif`;
    let x = 10 * devicePixelRatio;
    const names = ["left", "right"].filter((side) => this.values.angles[`${side}_${this.choice.angle}`]);
    for (const [text, colour] of [[title, "ink"], ...names.map((side) => [side, side])]) {
      ctx.fillStyle = Plots.colour(colour);
      ctx.fillText(text, x, head * 0.68);
      x += ctx.measureText(text).width + 14 * devicePixelRatio;
    }
    return canvas;
  }

  // All angles of the result as a table; a column for each.
  table() {
    const { times, angles, speed } = this.values;
    const names = Object.keys(angles);
    const shown = Math.min(speed.length - 1, 3); // smoothed, if there is that, else personalized
    const rows = times.map((time, i) => [time, ...names.map((name) => angles[name][shown][i])]);
    const text = [["time_s", ...names.map((name) => `${name}_deg`)], ...rows];
    return text.map((row) => row.map((cell) => (cell === null ? "" : cell)).join(",")).join("\n") + "\n";
  }

  playhead() {
    const mark = document.createElement("div");
    mark.className = "playhead";
    const put = (plot) => {
      const x = plot.valToPos(this.time, "x");
      mark.style.transform = `translateX(${x}px)`;
      mark.hidden = !Number.isFinite(x);
      plot.setLegend({ idxs: plot.series.map(() => plot.valToIdx(this.time)) });
    };
    const ready = (plot) => {
      plot.over.append(mark);
      plot.put = () => put(plot);
      const seek = (event) => {
        const box = plot.over.getBoundingClientRect();
        this.onSeek(plot.posToVal(event.clientX - box.left, "x"));
      };
      plot.over.addEventListener("pointerdown", (event) => { plot.over.setPointerCapture(event.pointerId); seek(event); });
      plot.over.addEventListener("pointermove", (event) => { if (event.buttons & 1) seek(event); });
      put(plot);
    };
    return { hooks: { ready, setSize: put, setScale: put } };
  }

  addLosses() {
    const place = document.getElementById("plot-losses");
    if (!place) return;
    const options = this.options(place, {}, "");
    const losses = this.losses.filter((value) => value !== null);
    place.setAttribute("role", "group");
    place.setAttribute("aria-label", `Loss by step, from ${losses[0]} to ${losses[losses.length - 1]}`);
    options.height = 130;
    options.plugins = [];
    options.legend = { show: false };
    options.axes[1].size = 58;
    options.axes[0].values = (_, ticks) => ticks.map((tick) => (Number.isInteger(tick) ? tick : ""));
    options.series = [
      {},
      { stroke: () => Plots.colour("personal"), width: 1.8 },
    ];
    this.plots.push(new uPlot(options, [this.losses.map((_, i) => i + 1), this.losses], place));
  }

  follow(time) {
    this.time = time;
    this.plots.forEach((plot) => plot.put && plot.put());
  }

  resize() {
    this.plots.forEach((plot) => {
      const width = Math.max(plot.root.parentElement.clientWidth, 120);
      if (width !== plot.width) plot.setSize({ width, height: plot.height });
    });
  }

  // A range with some air, from 0 unless it must be at least `least` wide.
  static around(low, high, least) {
    if (low === null || high === null) return [0, 1];
    const air = Math.max((high - low) * 0.08, (least - (high - low)) / 2, high === low ? 0.5 : 0);
    return [least === 0 ? 0 : low - air, high + air];
  }

  static summary(curve, digits, unit) {
    const values = curve.filter((value) => value !== null);
    if (!values.length) return "nothing to show";
    const sorted = [...values].sort((a, b) => a - b);
    const say = (value) => value.toFixed(digits) + unit;
    return `median ${say(sorted[sorted.length >> 1])}, ${say(sorted[0])} to ${say(sorted[sorted.length - 1])}`;
  }
}
