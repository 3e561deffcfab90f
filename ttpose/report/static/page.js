// The page: controls, keys, and the ties between player, curves and lists.
(() => {
  const values = JSON.parse(document.getElementById("values").textContent);
  const find = (id) => document.getElementById(id);
  const { film } = values;
  const [slider, play, where, note] = ["slider", "play", "where", "note"].map(find);
  const modes = [...document.querySelectorAll("input[name=mode]")];
  let plots = null;

  function moved(player) {
    const at = player.position;
    const time = film.times[at];
    const text = slider ? `Frame ${film.indices[at]}, ${time.toFixed(2)} s` : "";
    where.textContent = text;
    note.hidden = !film.notes[at];
    note.textContent = film.notes[at] || "";
    document.querySelectorAll("[data-only]").forEach((item) => { item.hidden = item.dataset.only !== player.mode; });
    if (!slider) return;
    slider.value = at;
    slider.setAttribute("aria-valuetext", text + (film.notes[at] ? ", " + film.notes[at] : ""));
    play.setAttribute("aria-label", player.playing ? "Pause" : "Play");
    find("play-icon").setAttribute("d", player.playing ? "M6 4h4v16H6zM14 4h4v16h-4z" : "M7 4v16l13-8z");
    if (plots) plots.follow(time);
  }

  const player = new Player(values, moved);
  const show = (mode) => {
    modes.forEach((input) => { input.checked = input.value === mode; });
    player.show(mode);
  };
  modes.forEach((input) => input.addEventListener("change", () => show(input.value)));
  find("zoom").addEventListener("change", (event) => player.zoom(event.target.checked));

  if (slider) {
    slider.max = player.count - 1;
    slider.addEventListener("input", () => player.seek(Number(slider.value)));
    play.addEventListener("click", () => player.play(!player.playing));
    find("speed").addEventListener("change", (event) => { player.speed = Number(event.target.value); player.jumped = true; });
    plots = new Plots(values, (time) => player.seekTime(time));
    choose("confidence-of", values.skeleton.keypoints, "confidence");
    const joints = [...new Set(Object.keys(values.plots.angles).map((name) => name.replace(/^(left|right)_/, "")))];
    if (joints.length) plots.choice.angle = find("angles-of").dataset.first;
    else find("angles").hidden = true;
    choose("angles-of", joints, "angle");
    const part = () => document.querySelectorAll("[data-part]").forEach((table) => { table.hidden = table.dataset.part !== plots.choice.angle; });
    find("angles-of").addEventListener("change", part);
    part();
    const clip = document.querySelector("h1").textContent.replace(/\.[^.]*$/, "");
    find("angles-csv").addEventListener("click", () => save(`${clip}_angles.csv`, new Blob([plots.table()], { type: "text/csv" })));
    find("angles-png").addEventListener("click", () => {
      const { angle } = plots.choice;
      plots.picture(`${clip}: ${angle}`).toBlob((picture) => save(`${clip}_${angle}.png`, picture));
    });
    plots.build();
    moved(player);
  }

  function save(name, content) {
    const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(content), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  function choose(id, names, choice) {
    const select = find(id);
    names.forEach((name) => select.add(new Option(name.replaceAll("_", " "), name)));
    select.value = plots.choice[choice];
    select.addEventListener("change", () => { plots.choice[choice] = select.value; plots.build(); });
  }

  Corrections.bind(values);
  document.querySelectorAll("button[data-frame]").forEach((button) => {
    button.addEventListener("click", () => {
      player.play(false);
      player.seekFrame(Number(button.dataset.frame));
      const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
      find("player").scrollIntoView({ behavior: calm ? "auto" : "smooth", block: "nearest" });
    });
  });

  // Keys act on the player unless the focused control has a use for them itself.
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const at = document.activeElement;
    const types = at.matches("select, textarea, input:not([type=radio], [type=checkbox], [type=range])");
    const presses = types || at.matches("button, summary, a, input[type=radio], input[type=checkbox]");
    const steers = types || at.matches("input[type=radio]") || (at.matches(".scroll") && at.scrollWidth > at.clientWidth);
    const far = event.shiftKey ? 10 : 1;
    const keys = {
      " ": [presses, () => player.play(!player.playing)],
      ArrowLeft: [steers, () => player.seek(player.position - far)],
      ArrowRight: [steers, () => player.seek(player.position + far)],
      b: [types, () => show(modes[(modes.findIndex((input) => input.checked) + 1) % modes.length].value)],
    };
    const [taken, act] = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key] || [true];
    if (taken) return;
    event.preventDefault();
    act();
  });
})();
