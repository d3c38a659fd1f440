const PHASES = ["predict", "encode", "prefill", "decode", "parse", "act", "settle", "capture"];

// ---- thought, reply and actions
const chips = (acts, size) => acts.map((act, index) => chip({ ...act, size }, acts.length > 1 ? index + 1 : 0));
function chip(act, order) {
  const { action, event } = act;
  const outside = pointsOf(action).some(([x, y]) => x < 0 || y < 0 || x > act.size[0] || y > act.size[1]);
  const parts = [el("span", {}, order ? `${order}. ${title(action)}` : title(action))];
  const keys = keysOf(action);
  parts.push(...keys.flatMap((key, index) => [index ? "+" : null, el("kbd", {}, key)]));
  const said = action.text ?? contentOf(action);
  if (said) parts.push(el("span", { class: "said" }, short(said, 300)));
  if (pointsOf(action).length) parts.push(el("span", { class: "note" }, pointsOf(action).map(at).join(" → ")));
  if (outside) parts.push("⚠ outside the screenshot");
  return el("span", { class: `chip ${event?.error && !ends(action) ? "failed" : ""}` }, parts);
}

/** An action as JSON on one line, with spaces between its fields. */
const spaced = (action) =>
  `{${Object.entries(action).map(([name, value]) => `"${name}": ${JSON.stringify(value)}`).join(", ")}}`;

function actBlock(act) {
  const { action, event, plan } = act;
  const notes = [];
  if (!event) notes.push(ends(action) ? "ends the run; nothing to execute" : "not executed");
  if (event?.reward) notes.push(`reward ${event.reward}`);
  if (event?.terminated) notes.push("the environment ended the task");
  if (event?.truncated) notes.push("the environment stopped the task at its limit");
  return el("div", {},
    plan ? [pre(spaced(plan), "Planned action"), el("p", { class: "note" }, "executed instead:")] : null,
    pre(spaced(action), "Action"),
    event?.error ? el("p", { class: ends(action) ? "note" : "trouble" }, event.error) : null,
    notes.length ? el("p", { class: "note" }, notes.join(" · ")) : null);
}

/** Seconds of each phase, which add up. Work done ahead ran beside other phases and took no time of its own. */
function timeBar({ seconds: all, phases: total, ahead }) {
  const known = PHASES.filter((phase) => phase in total);
  const unknown = Object.keys(total).filter((phase) => !PHASES.includes(phase) && phase !== "other");
  const phases = [...unknown, ...known, ...("other" in total ? ["other"] : [])];
  const tone = (phase) => `tone-${phase === "other" ? 8 : Math.max(0, PHASES.indexOf(phase))}`;
  const bar = phases.map((phase) => {
    const piece = el("i", { class: tone(phase) });
    piece.style.width = `${(100 * total[phase]) / (all || 1)}%`;
    return piece;
  });
  const legend = phases.map((phase) => el("span", {}, el("i", { class: tone(phase) }), `${phase} ${seconds(total[phase])}`));
  if (ahead) legend.push(el("span", {}, `ahead ${seconds(ahead)} (encode and prefill before the model was asked)`));
  return phases.length ? section(`Time: ${seconds(all)}`, el("div", { class: "bar", "aria-hidden": "true" }, bar), el("p", { class: "legend" }, legend)) : null;
}
function cost(usage) {
  if (!usage || !(usage.prompt_tokens || usage.reply_tokens || usage.forwards)) return null;
  const facts = [["Prompt", plural(usage.prompt_tokens, "token")], ["Reply", plural(usage.reply_tokens, "token")]];
  if (usage.forwards) facts.push(["Forwards", number(usage.forwards)], ["Tokens per forward", (usage.reply_tokens / usage.forwards).toFixed(1)]);
  if (usage.reply_tokens) {
    const share = Math.round((100 * usage.accepted_tokens) / usage.reply_tokens);
    facts.push(["From drafts", `${number(usage.accepted_tokens)} (${share} %)`]);
  }
  return section("Tokens", el("dl", { class: "cost" }, facts.map(([name, value]) => pair(name, value))));
}

/** What happened beside the screen: dialogs, downloads, tabs. */
function besideScreen(events) {
  const notes = events.flatMap((event) => event.notes);
  return notes.length ? section("Beside the screen", el("ul", { class: "notes" }, notes.map((note) => el("li", {}, note)))) : null;
}

function stepDetails(entry) {
  const { step, acts } = entry;
  const said = step.prediction;
  return [
    ...pairDetails(entry),
    step.observation.url ? el("p", { class: "note" }, step.observation.url) : null,
    besideScreen([step.observation]),
    said?.error ? section("Reply could not be read", el("p", { class: "trouble" }, said.error)) : null,
    said?.notes?.length ? section("About the reply", el("ul", { class: "notes" }, said.notes.map((note) => el("li", {}, note)))) : null,
    said?.thought ? section("Thought", el("p", { class: "thought" }, said.thought)) : null,
    acts.length ? section(acts.length > 1 ? "Actions" : "Action", el("div", { class: "acts" }, acts.map(actBlock))) : null,
    besideScreen(step.actions),
    said?.raw ? section("Raw reply", pre(said.raw, "Reply")) : null,
    timeBar(entry.time),
    cost(said?.usage),
  ];
}
function endDetails(entry) {
  const usages = run.steps.map((step) => step.prediction?.usage).filter(Boolean);
  const sum = (name) => usages.reduce((all, usage) => all + usage[name], 0);
  const names = ["prompt_tokens", "reply_tokens", "forwards", "accepted_tokens"];
  return [
    section(run.outcome.word, el("p", { class: "thought" }, run.outcome.why)),
    ...pairDetails(entry),
    run.final ? besideScreen([run.final]) : null,
    run.end?.message ? section("Message", pre(run.end.message, "Message")) : null,
    timeBar(entry.time),
    cost(Object.fromEntries(names.map((name) => [name, sum(name)]))),
  ];
}
