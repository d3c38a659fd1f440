const runs = JSON.parse(byId("data").textContent);
const view = { by: "when", down: true };

// ---- the table: heading, sort key and cell of each column
const day = (time) => new Date(time * 1000).toISOString().slice(0, 19).replace("T", " ");
const COLUMNS = [
  { name: "Task", key: "task", cell: taskCell },
  { name: "Outcome", key: "outcome", cell: (run) => el("span", { class: `badge ${run.tone}`, title: run.why }, run.outcome) },
  { name: "End", key: "end", cell: (run) => run.end.replaceAll("_", " ") || (run.steps === null ? "" : "none") },
  { name: "Environment", key: "environment", cell: (run) => run.environment },
  { name: "Policy", key: "policy", cell: (run) => run.policy },
  { name: "Started (UTC)", key: "when", number: true, cell: (run) => (run.when === null ? "" : day(run.when)) },
  { name: "Steps", key: "steps", number: true, cell: (run) => (run.steps === null ? "" : number(run.steps)) },
  { name: "Time", key: "seconds", number: true, cell: (run) => (run.seconds === null ? "" : seconds(run.seconds)) },
  { name: "Forwards", key: "forwards", number: true, cell: (run) => (run.forwards === null ? "" : number(run.forwards)) },
];

function taskCell(run) {
  const picture = run.thumbnail ? el("img", { src: run.thumbnail, alt: "", loading: "lazy", decoding: "async" }) : null;
  const words = [el("span", { class: "words" }, run.task || run.name), run.task ? el("span", { class: "note" }, run.name) : null];
  if (run.tone === "bad" && run.why) words.push(el("span", { class: "note" }, run.why));
  const shown = [el("span", { class: "thumb" }, picture), el("span", { class: "about" }, words)];
  return run.link ? el("a", { href: run.link, class: "task" }, shown) : el("span", { class: "task" }, shown);
}
for (const run of runs) {
  run.row = el("tr", {}, COLUMNS.map((column) =>
    el("td", { "data-name": column.name, "data-key": column.key, class: column.number ? "number" : "" }, column.cell(run))));
  run.found = [run.name, run.task, run.environment, run.policy, run.outcome, run.end, run.why].join("\n").toLowerCase();
}

function renderHeads() {
  byId("heads").replaceChildren(...COLUMNS.map((column) => {
    const chosen = column.key === view.by;
    const arrow = chosen ? (view.down ? " ↓" : " ↑") : "";
    const button = el("button", { type: "button" }, `${column.name}${arrow}`);
    button.addEventListener("click", () => sortBy(column));
    const sorted = chosen ? (view.down ? "descending" : "ascending") : null;
    return el("th", { scope: "col", "aria-sort": sorted, class: column.number ? "number" : "" }, button);
  }));
}
/** By the chosen column; runs without a value come last, equal runs newest first. */
function order(left, right) {
  const [one, other] = [left[view.by], right[view.by]];
  if (one === null || other === null) return (one === null) - (other === null);
  const ahead = typeof one === "number" ? one - other : one.localeCompare(other, "en", { numeric: true });
  return (view.down ? -ahead : ahead) || right.when - left.when;
}
function render() {
  const terms = byId("words").value.toLowerCase().split(/\s+/).filter(Boolean);
  const outcome = byId("outcome").value;
  const shown = runs.filter((run) => (!outcome || run.outcome === outcome) && terms.every((word) => run.found.includes(word)));
  byId("rows").replaceChildren(...shown.sort(order).map((run) => run.row));
  const good = shown.filter((run) => run.tone === "good").length;
  const share = shown.length ? ` (${Math.round((100 * good) / shown.length)} %)` : "";
  byId("count").textContent = `${shown.length === runs.length ? "" : `${number(shown.length)} of `}${plural(runs.length, "run")}, ${number(good)} succeeded${share}`;
}
function sortBy(column) {
  const again = view.by === column.key;
  Object.assign(view, { by: column.key, down: again ? !view.down : Boolean(column.number) });
  renderHeads();
  render();
  byId("heads").children[COLUMNS.indexOf(column)].firstChild.focus();
}

const outcomes = [...new Set(runs.map((run) => run.outcome))].sort();
byId("outcome").append(...outcomes.map((word) => el("option", { value: word }, word)));
renderHeads();
render();
byId("words").addEventListener("input", render);
byId("outcome").addEventListener("change", render);
byId("filters").addEventListener("submit", (event) => event.preventDefault());
addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || document.activeElement === byId("words")) return;
  event.preventDefault();
  byId("words").focus();
});
