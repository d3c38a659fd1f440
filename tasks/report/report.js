const run = JSON.parse(byId("data").textContent);
const view = { index: 0, after: false, marks: true };

// ---- the entries: every step, and the end
const entries = run.steps.map((step, position) => {
  const next = run.steps[position + 1]?.observation || run.final;
  return {
    id: `step-${numberOf(step)}`, step, next: next || unchanged(step), acts: actsOf(step),
    pair: run.replay?.pairs[position], shown: step.observation, time: run.times[position],
  };
});
const last = run.final || run.steps.at(-1)?.observation || null;
entries.push({ id: "end", shown: last, acts: [], pair: run.replay?.pairs[run.steps.length], time: run.total });

/** The screen after a step that changed none: its own. */
function unchanged(step) {
  return step.actions.every((event) => ends(event.action)) && run.end ? step.observation : null;
}

/** Pairs of planned and executed actions; the guard may have changed or dropped some. */
function actsOf(step) {
  const planned = step.prediction?.actions || [];
  return Array.from({ length: Math.max(planned.length, step.actions.length) }, (_, index) => {
    const event = step.actions[index];
    const plan = planned[index];
    const changed = event && plan && JSON.stringify(plan) !== JSON.stringify(event.action);
    return { action: event?.action || plan, event, plan: changed ? plan : null };
  });
}
function ends(action) {
  return action.kind === "finished" || action.kind === "call_user";
}
function trouble(entry) {
  if (entry.id === "end") return run.outcome.tone === "bad" ? run.outcome.word : null;
  if (entry.step.prediction?.error) return "unreadable reply";
  return entry.acts.some((act) => act.event?.error && !ends(act.action)) ? "no effect" : null;
}

// ---- the picture
const images = new Map();
function collectImages() {
  for (const block of document.querySelectorAll("script[data-image]")) images.set(block.dataset.image, block);
}
function picture(observation) {
  const block = images.get(observation.screenshot);
  if (block?.type.startsWith("image/")) {
    const alt = `Screenshot of step ${observation.step + 1}, ${observation.size[0]} by ${observation.size[1]} pixels`;
    return el("img", { src: `data:${block.type};base64,${block.textContent}`, alt, decoding: "sync" });
  }
  const loading = document.readyState === "loading";
  const reason = block ? JSON.parse(block.textContent) : loading ? "Loading …" : "This screenshot is not in the page.";
  return el("div", { class: "missing", role: "img", "aria-label": reason }, reason);
}

function renderStage(stage, observation, acts, box, nothing) {
  const [width, height] = observation?.size || [16, 9];
  const natural = (width / (observation?.device_scale || 1)) * (width < 640 ? 2 : 1);
  stage.style.aspectRatio = `${width} / ${height}`;
  stage.style.maxWidth = observation ? `min(${natural}px, ${(78 * width) / height}vh)` : "";
  const shown = observation ? picture(observation) : el("div", { class: "missing" }, nothing);
  const marked = view.marks && !view.after && observation;
  stage.replaceChildren(shown, ...(marked ? [overlay(acts, width, height, box)] : []));
  return marked && shown.tagName === "IMG" ? loupes(shown, observation, acts) : [];
}
/** What stands below a picture: what was acted on, magnified, and the actions. */
function renderCaption(caption, magnified, acts, observation, size) {
  caption.replaceChildren(...magnified, ...chips(acts, size), ...exactness(observation));
}
/** Where the exact screenshot is, if the page has only a compressed one. */
function exactness(observation) {
  const reduced = observation && images.get(observation.screenshot)?.hasAttribute("data-reduced");
  return reduced ? [el("span", { class: "note" }, `compressed to keep this page small; exact in screenshots/${observation.screenshot.slice(0, 12)}….png`)] : [];
}

// ---- the page
function renderHeader() {
  const { start, end } = run;
  byId("badge").textContent = run.outcome.word;
  byId("badge").classList.add(run.outcome.tone);
  byId("why").textContent = run.outcome.why;
  byId("instruction").textContent = start.instruction || start.environment;
  byId("message").textContent = end?.message || "";
  byId("message").hidden = !end?.message;
  const facts = [
    ["Environment", start.environment], ["Policy", start.policy], ["Seed", start.seed],
    ...(run.replay ? [["Replay of", [run.replay.name, run.replay.mode && `(${run.replay.mode})`].filter(Boolean).join(" ") || "unknown"]] : []),
    ["Steps", number(run.steps.length)], ["Duration", seconds(run.duration)], ["Reward", end?.reward], ["Expected", start.expect.join("; ") || null],
    ["Started", new Date(start.time * 1000).toISOString().slice(0, 19).replace("T", " ") + " UTC"], ["Saccade", start.saccade_version],
  ];
  const stated = facts.filter(([, value]) => value !== null && value !== undefined);
  byId("facts").append(...stated.map(([name, value]) => pair(name, String(value))));
  byId("settings").hidden = !Object.keys(run.settings).length;
  byId("settings-json").textContent = JSON.stringify(run.settings, null, 2);
}
function renderList() {
  byId("list").append(...entries.map((entry, position) => {
    const wrong = trouble(entry);
    const label = entry.step ? entry.acts.map((act) => summary(act.action)).join(", ") || wrong || "no action" : run.outcome.word;
    const time = entry.step ? seconds(entry.time.seconds) : "";
    const notes = [wrong && label !== wrong ? `⚠ ${wrong}` : null, entry.step ? outcomeWord(entry) : null].filter(Boolean);
    const status = notes.length ? el("span", { class: "status" }, `${notes.join(" · ")} · `) : null;
    const tone = wrong ? "bad" : run.outcome.tone === "good" && !entry.step ? "good" : "";
    entry.link = el("a", { href: `#${entry.id}`, title: short(label, 300), class: `${tone} of-${outcomeOf(entry)}` },
      el("span", { class: "number" }, entry.step ? numberOf(entry.step) : "end"),
      el("span", { class: "label" }, status, short(label, 120)), el("span", { class: "time" }, time));
    entry.link.addEventListener("click", () => go(position));
    return el("li", {}, entry.link);
  }));
}
/** One bar per step, its height is the step's duration; a click goes to the step. */
function renderTimeline() {
  const lengths = entries.map((entry) => (entry.step ? entry.time.seconds : 0));
  const longest = Math.max(...lengths, 1e-9);
  const gap = entries.length > 150 ? 0.1 : 0.2;
  byId("timeline").setAttribute("viewBox", `0 0 ${Math.max(entries.length, 12)} 100`);
  entries.forEach((entry, position) => {
    const height = 12 + 88 * (lengths[position] / longest);
    entry.bar = svg("rect", { x: position, y: 100 - height, width: 1 - gap, height, class: trouble(entry) ? "bad" : `of-${outcomeOf(entry)}` });
    byId("timeline").append(entry.bar);
  });
  byId("timeline").addEventListener("click", (event) => {
    const box = byId("timeline").getBoundingClientRect();
    go(Math.floor(((event.clientX - box.left) / box.width) * Math.max(entries.length, 12)));
  });
}

function render() {
  const entry = entries[view.index];
  view.after = view.after && Boolean(entry.step);
  for (const other of entries) {
    other.link.removeAttribute("aria-current");
    other.bar.classList.remove("current");
  }
  entry.link.setAttribute("aria-current", "step");
  entry.bar.classList.add("current");
  byId("position").textContent = entry.step ? `Step ${numberOf(entry.step)}` : "End";
  byId("previous").disabled = view.index === 0;
  byId("next").disabled = view.index === entries.length - 1;
  byId("moments").hidden = byId("marks").hidden = !entry.step;
  byId("before").setAttribute("aria-pressed", String(!view.after));
  byId("after").setAttribute("aria-pressed", String(view.after));
  byId("marks").setAttribute("aria-pressed", String(view.marks));
  const observation = view.after ? entry.next : entry.shown;
  const nothing = run.end ? "No screenshot was taken after this." : "The recording stops here.";
  byId("details").replaceChildren(...(entry.step ? stepDetails(entry) : endDetails(entry)).filter(Boolean));
  const magnified = renderStage(byId("stage"), observation, entry.acts, boxOf(entry), nothing);
  renderCaption(byId("caption"), magnified, entry.acts, observation, entry.shown?.size || [0, 0]);
  renderPair(entry);
  rescale();
}

// ---- navigation
/** Goes to the next step that failed or was changed; after the end it starts again. */
function nextToReview() {
  const order = entries.map((_, offset) => (view.index + 1 + offset) % entries.length);
  const found = order.find((index) => trouble(entries[index]) || TO_REVIEW.has(outcomeOf(entries[index])));
  if (found !== undefined) go(found);
}
let addressTimer = 0;
function go(index) {
  view.index = Math.min(Math.max(index, 0), entries.length - 1);
  view.after = false;
  render();
  scrollIntoList(entries[view.index].link);
  // Browsers block pages that change their address many times a second, as with a held arrow key.
  clearTimeout(addressTimer);
  addressTimer = setTimeout(() => history.replaceState(null, "", `#${entries[view.index].id}`), 120);
}
function scrollIntoList(link) {
  const list = link.closest("nav");
  if (list.scrollHeight <= list.clientHeight) return;
  const [inner, outer] = [link.getBoundingClientRect(), list.getBoundingClientRect()];
  if (inner.top < outer.top || inner.bottom > outer.bottom) list.scrollTop += inner.top - outer.top - outer.height / 2;
}
function followAddress() {
  const found = entries.findIndex((entry) => `#${entry.id}` === location.hash);
  if (found >= 0 && found !== view.index) go(found);
}
function toggle(name, value = !view[name]) {
  view[name] = value;
  render();
}
const KEYS = {
  ArrowRight: () => go(view.index + 1), j: () => go(view.index + 1),
  ArrowLeft: () => go(view.index - 1), k: () => go(view.index - 1),
  Home: () => go(0), End: () => go(entries.length - 1),
  n: nextToReview, b: () => toggle("after"), m: () => toggle("marks"), "?": () => byId("keys").showModal(),
};
function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("keys").open || !Object.hasOwn(KEYS, event.key)) return;
  event.preventDefault();
  KEYS[event.key]();
}

renderHeader();
renderList();
renderTimeline();
renderOutcomes();
collectImages();
followAddress();
render();
byId("previous").addEventListener("click", () => go(view.index - 1));
byId("next").addEventListener("click", () => go(view.index + 1));
byId("before").addEventListener("click", () => toggle("after", false));
byId("after").addEventListener("click", () => toggle("after", true));
byId("marks").addEventListener("click", () => toggle("marks"));
byId("help").addEventListener("click", KEYS["?"]);
addEventListener("keydown", onKey);
addEventListener("hashchange", followAddress);
const watcher = new ResizeObserver(rescale);
for (const stage of document.querySelectorAll(".stage")) watcher.observe(stage);
document.addEventListener("DOMContentLoaded", () => { collectImages(); render(); });
