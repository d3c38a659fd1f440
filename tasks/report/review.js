const data = JSON.parse(byId("data").textContent);
const images = new Map([...document.querySelectorAll("script[data-image]")].map((block) => [block.dataset.image, block]));
const sizes = new Map();
const episodes = data.episodes.map((episode) => ({
  ...episode, number: 0, decided: {}, changes: new Map(), first: 1, last: episode.steps.length,
  found: [episode.id, episode.source, episode.task, episode.instruction].join("\n").toLowerCase(),
}));
const view = { current: episodes.at(-1), shown: episodes, saved: true };

// ---- decisions
const kept = (episode) => episode.decided.kept ?? episode.kept;
const verdictOf = (episode, index) => episode.changes.get(index)?.verdict ?? episode.steps[index].verdict;
function betterOf(episode, index) {
  const change = episode.changes.get(index);
  return change ? change.better ?? null : episode.steps[index].better;
}
function changed(episode) {
  return Object.keys(episode.decided).length > 0 || episode.changes.size > 0 || episode.first > 1 || episode.last < episode.steps.length;
}
function decisionOf(episode) {
  const decision = { id: episode.id, ...episode.decided };
  if (episode.first > 1) decision.first = episode.first;
  if (episode.last < episode.steps.length) decision.last = episode.last;
  if (episode.changes.size) decision.steps = [...episode.changes].map(([index, change]) => ({ step: index + 1, ...change }));
  return decision;
}
function touch() {
  view.saved = false;
  render();
}
function decide(episode, keep) {
  if (keep === episode.kept) delete episode.decided.kept;
  else episode.decided.kept = keep;
  touch();
}
function judge(episode, index, verdict) {
  if (verdict === episode.steps[index].verdict && !episode.steps[index].better) episode.changes.delete(index);
  else episode.changes.set(index, { verdict });
  touch();
}
function save() {
  const decisions = episodes.filter(changed).map(decisionOf);
  if (!decisions.length) return;
  const blob = new Blob([JSON.stringify({ decisions }, null, 1)], { type: "application/json" });
  const link = el("a", { href: URL.createObjectURL(blob), download: "review.json" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  view.saved = true;
  byId("saved").textContent = `Saved. Carry them out with: saccade collect review ${data.name} --apply review.json`;
}

// ---- the list
function renderList() {
  const terms = byId("words").value.toLowerCase().split(/\s+/).filter(Boolean);
  view.shown = episodes.filter((episode) => terms.every((word) => episode.found.includes(word)));
  byId("list").replaceChildren(...view.shown.map((episode) => {
    const state = [changed(episode) ? "decided" : "", kept(episode) ? "" : "rejected"].filter(Boolean).join(" ");
    const row = el("a", { href: `#${episode.id}`, class: state, "aria-current": episode === view.current ? "true" : null },
      el("span", { class: "number" }, String(episode.steps.length)),
      el("span", { class: "label" }, episode.instruction),
      el("span", { class: "status" }, changed(episode) ? "changed" : kept(episode) ? "" : "rejected"));
    return el("li", {}, row);
  }));
  const rejected = episodes.filter((episode) => !kept(episode)).length;
  const count = episodes.filter(changed).length;
  byId("count").textContent = `${plural(episodes.length, "episode")}, ${number(rejected)} rejected, ${number(count)} with new decisions`;
  byId("save").disabled = !count;
}

// ---- one episode
function pressed(button, on) {
  button.setAttribute("aria-pressed", String(on));
  return button;
}
function button(label, action, hint) {
  const made = el("button", { type: "button", title: hint }, label);
  made.addEventListener("click", action);
  return made;
}
function renderEpisode() {
  const episode = view.current;
  if (!episode) return byId("viewer").replaceChildren(el("p", { class: "message" }, "No episode matches."));
  const instruction = el("textarea", { class: "instruction", rows: 2, "aria-label": "Instruction" });
  instruction.value = episode.decided.instruction ?? episode.instruction;
  instruction.addEventListener("change", () => {
    const words = instruction.value.trim();
    if (!words || words === episode.instruction) delete episode.decided.instruction;
    else episode.decided.instruction = words;
    touch();
  });
  const facts = [`from ${episode.source}`, episode.task, episode.seed === null ? "" : `seed ${episode.seed}`,
    episode.reward === null ? "not judged" : `reward ${round(episode.reward)}`, episode.held_out ? "held out: measured on" : "learned from", episode.id];
  byId("viewer").replaceChildren(
    instruction,
    el("p", { class: "about" }, facts.filter(Boolean).map((fact) => el("span", {}, fact))),
    el("div", { class: "decide", role: "group", "aria-label": "Episode" },
      pressed(button("Keep", () => decide(episode, true), "Keep it (y)"), kept(episode)),
      pressed(button("Reject", () => decide(episode, false), "Reject it (n)"), !kept(episode)),
      button("Undo", () => undo(episode), "Forget the decisions about this episode")),
    ...episode.steps.map((step, index) => renderStep(episode, step, index)));
  rescale();
}
function undo(episode) {
  Object.assign(episode, { decided: {}, first: 1, last: episode.steps.length });
  episode.changes.clear();
  touch();
}
function renderStep(episode, step, index) {
  const gone = index + 1 < episode.first || index + 1 > episode.last;
  const stage = el("div", { class: "stage" });
  const better = betterOf(episode, index);
  draw(stage, step, [...step.reply.actions, ...(better?.actions || [])]);
  const verdict = verdictOf(episode, index);
  const verdicts = ["good", "wrong", "unknown"].map((word) => pressed(button(word, () => judge(episode, index, word)), word === verdict));
  return el("section", { class: gone ? "step gone" : "step" },
    el("div", { class: "step-head" }, el("h2", {}, `Step ${index + 1}`), cutButtons(episode, index, gone)),
    stage,
    el("div", { class: "side" },
      step.feedback ? el("p", { class: "trouble" }, step.feedback) : null,
      said(step.reply, "Done"),
      el("span", { class: "verdicts", role: "group", "aria-label": "Verdict" }, verdicts),
      better ? said(better, "Better", "better") : null,
      correction(episode, step, index, stage)));
}
function cutButtons(episode, index, gone) {
  if (gone) return button("Bring back", () => cut(episode, Math.min(episode.first, index + 1), Math.max(episode.last, index + 1)));
  return el("span", { class: "row" },
    index + 1 > episode.first ? button("Begin here", () => cut(episode, index + 1, episode.last), "Cut off what comes before") : null,
    index + 1 < episode.last ? button("End here", () => cut(episode, episode.first, index + 1), "Cut off what comes after") : null);
}
function cut(episode, first, last) {
  Object.assign(episode, { first, last });
  touch();
}
function said(reply, name, tone) {
  return el("div", { class: tone || "" }, el("h3", {}, name), reply.thought ? el("p", { class: "thought" }, reply.thought) : null,
    el("p", { class: "row" }, reply.actions.map((action) => el("span", { class: "chip" }, summary(action)))));
}
function draw(stage, step, actions) {
  const block = images.get(step.picture);
  if (!block?.type.startsWith("image/")) return stage.replaceChildren(el("div", { class: "missing" }, block ? JSON.parse(block.textContent) : "This picture is not in the page."));
  const shape = (width, height) => {
    stage.style.aspectRatio = `${width} / ${height}`;
    stage.style.maxWidth = `min(${width * (width < 640 ? 2 : 1)}px, ${(70 * width) / height}vh)`;
  };
  if (sizes.has(step.picture)) shape(...sizes.get(step.picture)); // so that the page keeps its place
  const image = el("img", { src: `data:${block.type};base64,${block.textContent}`, alt: "The screen before this step", decoding: "sync" });
  const size = () => {
    const [width, height] = [image.naturalWidth, image.naturalHeight];
    sizes.set(step.picture, [width, height]);
    shape(width, height);
    stage.replaceChildren(image, overlay(actions.map((action) => ({ action, event: {} })), width, height));
    rescale();
  };
  if (image.complete && image.naturalWidth) size();
  else image.addEventListener("load", size);
  stage.replaceChildren(image);
}

// ---- what would have been better
const POINTED = ["click", "double_click", "right_click", "long_press", "scroll"];
const WORDS = { type: "Text", press: "Key", hotkey: "Keys", scroll: "Direction", finished: "Answer" };
function correction(episode, step, index, stage) {
  const kind = el("select", {}, ["click", "double_click", "right_click", "type", "press", "hotkey", "scroll", "drag", "wait", "finished"].map((name) => el("option", { value: name }, name.replaceAll("_", " "))));
  const words = el("input", { type: "text", autocomplete: "off" });
  const thought = el("input", { type: "text", autocomplete: "off" });
  const place = el("p", { class: "note" });
  const label = el("span", {}, "Text");
  const field = el("label", {}, label, words);
  let places = [];
  const wanted = () => (kind.value === "drag" ? 2 : POINTED.includes(kind.value) ? 1 : 0);
  const show = () => {
    field.hidden = !WORDS[kind.value];
    label.textContent = WORDS[kind.value] || "";
    const missing = wanted() - places.length;
    place.textContent = places.length ? `at ${places.map(at).join(" → ")}` : missing > 0 ? "Click on the picture to say where." : "";
    stage.classList.toggle("picking", box.open && wanted() > 0);
    use.disabled = missing > 0 && kind.value !== "scroll" ? true : (kind.value === "press" || kind.value === "hotkey") && !words.value.trim();
  };
  const use = button("Use this", () => {
    episode.changes.set(index, { better: { thought: thought.value.trim(), actions: [made()] } });
    touch();
  });
  const made = () => {
    const [first, second] = places;
    switch (kind.value) {
      case "type": return { kind: "type", text: words.value };
      case "press": return { kind: "press", key: words.value.trim() };
      case "hotkey": return { kind: "hotkey", keys: words.value.split(/[+\s]+/).filter(Boolean) };
      case "scroll": return { kind: "scroll", direction: ["up", "down", "left", "right"].includes(words.value.trim()) ? words.value.trim() : "down", point: first ?? null };
      case "drag": return { kind: "drag", start: first, end: second };
      case "wait": return { kind: "wait" };
      case "finished": return { kind: "finished", answer: words.value };
      default: return { kind: kind.value, point: first };
    }
  };
  const box = el("details", {}, el("summary", {}, "Correct it"),
    el("div", { class: "correct" }, el("label", {}, el("span", {}, "Action"), kind), field, el("label", {}, el("span", {}, "Thought"), thought), place, el("p", { class: "row" }, use)));
  stage.addEventListener("click", (event) => {
    const image = stage.querySelector("img");
    if (!box.open || !image || !wanted()) return;
    const rect = image.getBoundingClientRect();
    const point = [(event.clientX - rect.left) / rect.width * image.naturalWidth, (event.clientY - rect.top) / rect.height * image.naturalHeight].map((value) => Math.round(value * 10) / 10);
    places = [...(places.length < wanted() ? places : []), point];
    show();
  });
  kind.addEventListener("change", () => { places = []; show(); });
  words.addEventListener("input", show);
  box.addEventListener("toggle", show);
  show();
  return box;
}

// ---- moving about
function render() {
  renderList();
  renderEpisode();
}
function go(by) {
  const place = view.shown.indexOf(view.current);
  const next = view.shown[Math.max(0, Math.min(view.shown.length - 1, place + by))];
  if (next) location.hash = next.id;
}
function follow() {
  const found = episodes.find((episode) => episode.id === location.hash.slice(1));
  if (found) view.current = found;
  render();
  document.querySelector(".steps [aria-current]")?.scrollIntoView({ block: "nearest" });
}
const KEYS = {
  ArrowRight: () => go(1), j: () => go(1), ArrowLeft: () => go(-1), k: () => go(-1),
  y: () => { decide(view.current, true); go(1); }, n: () => { decide(view.current, false); go(1); },
  s: save, "/": () => byId("words").focus(), "?": () => byId("keys").showModal(),
};
addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select");
  if (typing || event.ctrlKey || event.metaKey || event.altKey || byId("keys").open || !KEYS[event.key]) return;
  event.preventDefault();
  KEYS[event.key]();
});
addEventListener("hashchange", follow);
addEventListener("resize", rescale);
addEventListener("beforeunload", (event) => { if (!view.saved && episodes.some(changed)) event.preventDefault(); });
byId("words").addEventListener("input", renderList);
byId("save").addEventListener("click", save);
byId("help").addEventListener("click", () => byId("keys").showModal());
byId("name").textContent = `Review of ${data.name}`;
view.current = view.shown[0];
follow();
