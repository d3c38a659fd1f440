// ---- a replay beside its recording
const OUTCOMES = {
  known: ["as recorded", "the same model saw the same screens, so its answer was already known"],
  exact: ["as recorded", "the screen was as recorded"],
  agreed: ["agreed", "the model confirmed the recorded reply"],
  near: ["near", "the model answered in other words, with the same actions within the tolerance"],
  own: ["healed", "the model chose something else, which was executed instead"],
  unreadable: ["unreadable", "the model's reply could not be read, so nothing was done"],
  end: ["end", "the recording had no further step"],
  drift: ["drift", "the screen did not become as recorded"],
};
const TO_REVIEW = new Set(["near", "own", "unreadable", "drift"]);
const outcomeOf = (entry) => (Object.hasOwn(OUTCOMES, entry.pair?.outcome ?? "") ? entry.pair.outcome : "");
const outcomeWord = (entry) => OUTCOMES[outcomeOf(entry)]?.[0];

/** The recorded screen and actions of an entry; null if the page has no recorded screen for it. */
function recordedSide(entry) {
  const step = entry.pair?.recorded;
  if (!run.replay || (!step && entry.step) || (run.replay.note && !run.replay.expected)) return null;
  if (entry.step) return { name: `Recorded, step ${numberOf(step)}`, before: step.observation, after: entry.pair.after, acts: actsOf(step) };
  const before = run.replay.expected || run.replay.final;
  const name = run.replay.expected ? "Expected" : "Recorded, at the end";
  return before && { name, before, after: null, acts: step ? actsOf(step) : [] };
}
const boxOf = (entry) => (outcomeOf(entry) === "drift" ? run.replay.drift?.box : null);

function renderPair(entry) {
  const side = recordedSide(entry);
  byId("recorded").hidden = !side;
  byId("panes").classList.toggle("two", Boolean(run.replay && !run.replay.note) || Boolean(side));
  byId("live-name").hidden = !run.replay;
  byId("live-name").textContent = entry.step ? `Replay, step ${numberOf(entry.step)}` : "Replay, at the end";
  if (!side) return;
  byId("recorded-name").textContent = side.name;
  const observation = view.after ? side.after : side.before;
  const magnified = renderStage(byId("recorded-stage"), observation, side.acts, boxOf(entry), "Nothing was recorded after this.");
  renderCaption(byId("recorded-caption"), magnified, side.acts, observation, side.before.size);
}

/** The outcome of a replayed step, and the recorded reply. */
function pairDetails(entry) {
  const outcome = outcomeOf(entry);
  if (!outcome) return [];
  const [word, why] = OUTCOMES[outcome];
  const recorded = entry.pair.recorded;
  const box = boxOf(entry);
  const near = entry.pair.tolerance ? ` Points within ${Math.round(entry.pair.tolerance)} pixels counted as the same.` : "";
  const differs = box ? ` It differs from ${at(box.slice(0, 2))} to ${at(box.slice(2))}.` : "";
  return [
    section(`Replay: ${word}`, el("p", { class: "thought" }, `${why[0].toUpperCase()}${why.slice(1)}.${near}${differs}`)),
    recorded?.prediction?.raw && TO_REVIEW.has(outcome) ? section("Recorded reply", pre(recorded.prediction.raw, "Recorded reply")) : null,
  ];
}

/** The number of steps with each outcome, with the colour of their bars. */
function renderOutcomes() {
  if (!run.replay) return;
  const counts = new Map();
  for (const outcome of entries.map(outcomeOf).filter(Boolean)) counts.set(outcome, (counts.get(outcome) || 0) + 1);
  const known = Object.keys(OUTCOMES).filter((outcome) => counts.has(outcome));
  byId("outcomes").hidden = !known.length;
  byId("outcomes").append(...known.map((outcome) =>
    el("span", { title: OUTCOMES[outcome][1] }, el("i", { class: `of-${outcome}` }), `${number(counts.get(outcome))} ${OUTCOMES[outcome][0]}`)));
  byId("note").textContent = run.replay.note;
  byId("note").hidden = !run.replay.note;
}
