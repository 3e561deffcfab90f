// The page: lists, buttons and keys, and the ties between them.
(async () => {
  const find = (id) => document.getElementById(id);
  let clip;
  try {
    clip = new Clip(await Server.clip());
  } catch (error) {
    return trouble(error.message);
  }
  const view = new View(find("canvas"), clip, { onSelect: select, onPlace: (k, x, y) => edits.place(view.index, k, x, y) });
  const edits = new Edits(clip, { onChange: changed, onSaved: saved });
  const learning = new Learning(clip, find, learned);
  const slider = find("slider");
  find("canvas").view = view; // for tests and the console
  find("name").textContent = clip.name;
  document.title = `${clip.name} · ttpose correct`;
  find("file").textContent = clip.file;
  slider.max = clip.count - 1;
  const only = clip.count < 2; // a photo
  for (const part of document.querySelectorAll(".steps, .strip, [data-do=copy]")) part.hidden = only;

  function trouble(text) {
    find("trouble").textContent = text;
    find("trouble").hidden = !text;
  }

  function saved(unsaved, error) {
    const place = find("saved");
    place.classList.toggle("bad", Boolean(error));
    place.textContent = error ? "Not saved" : unsaved ? "Saving …" : "Saved";
    trouble(error ? `The last change could not be saved: ${error.message}` : "");
  }

  // Go to a frame; without a joint to select the first doubted one is selected.
  function go(index, k) {
    const to = Math.max(0, Math.min(clip.count - 1, index));
    const told = clip.suggestions.find((item) => item.index === to);
    view.doubted = new Set(told ? told.joints : []);
    if (k !== undefined) view.selected = k;
    view.show(to);
    refresh();
  }

  function select(k) {
    view.selected = k;
    view.draw();
    refresh();
  }

  function step(by) {
    const { names } = clip;
    select(view.selected === null ? (by > 0 ? 0 : names.length - 1) : (view.selected + by + names.length) % names.length);
  }

  function changed(index) {
    find("saved").textContent = "Saving …";
    if (index !== view.index) go(index);
    else {
      view.draw();
      refresh();
    }
  }

  function refresh() {
    const { index, selected } = view;
    slider.value = index;
    const text = `Frame ${index} of ${clip.count - 1} · ${clip.times[index].toFixed(2)} s`;
    find("where").textContent = text;
    slider.setAttribute("aria-valuetext", text);
    const note = clip.notes[index];
    find("note").textContent = note || "";
    find("note").hidden = !note;
    const joint = selected === null ? null : clip.joints(index)[selected];
    find("joint-label").textContent = joint ? spoken(selected) : "No joint selected";
    button("hide").setAttribute("aria-pressed", String(Boolean(joint && joint.state === "hidden")));
    button("remove").setAttribute("aria-pressed", String(Boolean(joint && joint.state === "not in picture")));
    button("hide").disabled = !joint || joint.x === null;
    button("remove").disabled = !joint;
    button("copy").disabled = index === 0;
    button("reset").disabled = !clip.corrected(index);
    button("undo").disabled = !edits.past.length;
    button("redo").disabled = !edits.future.length;
    button("confirm").disabled = clip.complete(index) || !clip.joints(index).some(({ x }) => x !== null);
    const locked = view.mode === "before";
    if (locked) document.querySelectorAll("[data-do]").forEach((each) => { each.disabled = true; });
    lists();
    learning.refresh();
  }

  function lists() {
    const suggested = new Set(clip.suggestions.map((item) => item.index));
    const noted = [...clip.recordOf.values()].filter(({ index, note }) => note && !suggested.has(index));
    const items = [...clip.suggestions, ...noted.map(({ index, note }) => ({ index, reasons: [note] }))];
    fill(find("frames"), items.map(({ index, reasons }) => frameButton(index, reasons.join("; "), stateOf(index))));
    fill(find("strip"), items.map(({ index }) => chip(index, `${clip.complete(index) ? "✓ " : ""}${index}`)));
    const listed = new Set(items.map(({ index }) => index));
    const others = clip.correctedFrames().filter((index) => !listed.has(index));
    find("others-part").hidden = !others.length;
    fill(find("others"), others.map((index) => chip(index, index)));
    const marks = [...new Set([...listed, ...others])];
    fill(find("marks"), marks.map((index) => {
      const mark = made("i", { className: clip.corrected(index) ? "done" : "" });
      mark.style.left = `${(100 * index) / Math.max(clip.count - 1, 1)}%`;
      return mark;
    }));
    fill(find("joints"), clip.joints(view.index).map((joint, k) => jointButton(joint, k)));
  }

  function chip(index, text) {
    const item = made("button", { type: "button", textContent: text, onclick: () => go(index) });
    item.setAttribute("aria-current", String(index === view.index));
    return item;
  }

  function stateOf(index) {
    if (!clip.corrected(index)) return "";
    if (clip.complete(index)) return "✓ all right";
    const { joints = {}, swaps = [] } = clip.record(index);
    const count = Object.keys(joints).length;
    const told = [count && `${count} joint${count === 1 ? "" : "s"}`, swaps.length && "sides swapped"];
    return told.filter(Boolean).join(", ");
  }

  function frameButton(index, why, state) {
    const item = made("button", { type: "button", onclick: () => go(index) });
    item.setAttribute("aria-current", String(index === view.index));
    item.append(made("b", { textContent: only ? "The photo" : `Frame ${index}` }), made("span", { className: "state", textContent: state }));
    item.append(made("span", { className: "why", textContent: why }));
    const row = document.createElement("li");
    row.append(item);
    return row;
  }

  function jointButton(joint, k) {
    const side = clip.names[k].split("_")[0];
    const item = made("button", { type: "button", className: side, textContent: spoken(k), onclick: () => select(k) });
    item.setAttribute("aria-current", String(k === view.selected));
    const state = joint.state !== "visible" ? joint.state : { corrected: "corrected", swapped: "swapped", none: "no place" }[joint.source];
    item.append(made("span", { textContent: state || `predicted, ${Math.round(100 * joint.score)} %` }));
    return item;
  }

  // The same elements again would lose the focus that a key has moved there.
  function fill(place, items) {
    const at = [...place.querySelectorAll("button")].indexOf(document.activeElement);
    place.replaceChildren(...items);
    if (at >= 0) place.querySelectorAll("button")[at]?.focus({ preventScroll: true });
  }

  const made = (tag, values) => Object.assign(document.createElement(tag), values);
  const spoken = (k) => clip.names[k].replaceAll("_", " ");
  const button = (name) => document.querySelector(`[data-do=${name}]`);

  // On to the next suggested frame that is not corrected yet.
  function confirm() {
    edits.confirm(view.index);
    const left = clip.suggestions.find(({ index }) => index !== view.index && !clip.complete(index));
    if (left) go(left.index, null);
  }

  const nudge = (x, y) => {
    if (view.selected === null) return;
    const joint = clip.joints(view.index)[view.selected];
    if (joint.x !== null) edits.place(view.index, view.selected, joint.x + x, joint.y + y);
  };

  const actions = {
    next: () => step(1),
    previous: () => step(-1),
    hide: () => view.selected !== null && edits.hide(view.index, view.selected),
    remove: () => view.selected !== null && edits.remove(view.index, view.selected),
    legs: () => edits.swap(view.index, ["legs"]),
    arms: () => edits.swap(view.index, ["arms"]),
    all: () => edits.swap(view.index, Object.keys(clip.skeleton.parts)),
    copy: () => edits.copy(view.index - 1, view.index),
    reset: () => edits.reset(view.index),
    undo: () => edits.undo(),
    redo: () => edits.redo(),
    confirm,
  };
  for (const [name, act] of Object.entries(actions)) if (button(name)) button(name).addEventListener("click", act);
  find("back").addEventListener("click", () => go(view.index - 1));
  find("on").addEventListener("click", () => go(view.index + 1));
  slider.addEventListener("input", () => go(Number(slider.value)));
  find("zoom-in").addEventListener("click", () => view.zoom(1.4));
  find("zoom-out").addEventListener("click", () => view.zoom(1 / 1.4));
  const fit = (whole) => { view.fit(whole); view.draw(); };
  find("fit").addEventListener("click", () => fit(false));
  find("whole").addEventListener("click", () => fit(true));

  const keys = {
    n: "next", p: "previous", h: "hide", x: "remove", l: "legs", a: "arms", w: "all", c: "copy", z: "undo", y: "redo", enter: "confirm",
  };
  const moves = {
    arrowleft: (far) => go(view.index - far), arrowright: (far) => go(view.index + far),
    "+": () => view.zoom(1.4), "=": () => view.zoom(1.4), "-": () => view.zoom(1 / 1.4), 0: () => fit(false), 9: () => fit(true),
  };
  const ways = { arrowleft: [-1, 0], arrowright: [1, 0], arrowup: [0, -1], arrowdown: [0, 1] };
  document.addEventListener("keydown", (event) => {
    const key = event.key.toLowerCase();
    const far = event.shiftKey ? 10 : 1;
    const at = document.activeElement;
    if (event.altKey && ways[key]) nudge(...ways[key].map((way) => way * far));
    else if (event.ctrlKey || event.metaKey) {
      if (key === "z") (event.shiftKey ? actions.redo : actions.undo)();
      else if (key === "y") actions.redo();
      else return;
    } else if (event.altKey) return;
    else if (key.startsWith("arrow") && at.matches("input")) return; // the slider and the choice steer themselves
    else if (key === "enter" && at.matches("button, summary, a")) return; // it presses the button
    else if (moves[key]) moves[key](far);
    else if (keys[key] && view.mode !== "before") actions[keys[key]]();
    else return;
    event.preventDefault();
  });

  const modes = [...document.querySelectorAll("input[name=mode]")];
  function show(mode) {
    view.mode = mode;
    modes.forEach((input) => { input.checked = input.value === mode; });
    view.draw();
    document.querySelectorAll("[data-do]").forEach((each) => { each.disabled = false; });
    refresh();
  }
  modes.forEach((input) => input.addEventListener("change", () => show(input.value)));

  async function learned() {
    const { index } = view;
    const records = clip.recordOf;
    Object.assign(clip, await Server.clip());
    clip.recordOf = records;
    compare();
    show("both");
    go(index);
  }

  // Frames that were not corrected and changed most, each from another stretch of the clip.
  function compare() {
    find("modes").hidden = find("compare").hidden = !clip.before;
    if (!clip.before) return;
    const moved = clip.poses.map((pose, index) => ({ index, by: clip.corrected(index) ? 0 : distance(clip.before[index], pose) }));
    const near = Math.max(2, clip.count / 20);
    const picked = [];
    for (const { index, by } of moved.sort((a, b) => b.by - a.by)) {
      if (picked.length < 6 && by > 0.02 && picked.every((other) => Math.abs(other.index - index) > near)) picked.push({ index, by });
    }
    fill(find("changed"), picked.map(({ index, by }) => frameButton(index, `joints moved by ${by.toFixed(2)} torso lengths on average`, "")));
    if (!picked.length) find("changed").textContent = "No other frame changed.";
  }

  function distance(before, after) {
    if (!before || !after) return 0;
    let sum = 0;
    for (let k = 0; k < after.length; k += 3) {
      if (before[k] !== null && after[k] !== null) sum += Math.min(Math.hypot(before[k] - after[k], before[k + 1] - after[k + 1]) / clip.torso, 1);
    }
    return (3 * sum) / after.length;
  }

  find("finish").addEventListener("click", async () => {
    await edits.queue;
    if (edits.unsaved.size) return; // what is wrong is told above
    try { await Server.post("quit"); } catch { /* it has ended already */ }
    document.querySelector("header").hidden = find("main").hidden = true;
    const count = clip.correctedFrames().length;
    const file = made("code", { textContent: clip.file });
    find("ended-text").append(`${count} corrected ${count === 1 ? "frame is" : "frames are"} saved in `, file, ".");
    find("ended").hidden = false;
    trouble("");
  });
  window.addEventListener("beforeunload", (event) => { if (edits.unsaved.size) event.preventDefault(); });

  compare();
  if (clip.before) show("both");
  go(clip.suggestions.length ? clip.suggestions[0].index : 0);
  for (const { index } of clip.suggestions) view.fetch(index);
  if ((await Server.learning()).state !== "none") learning.watch();
})();
