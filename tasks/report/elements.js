const byId = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";

// ---- building: strings only ever become text or attributes, never markup
function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value !== undefined && value !== null) node.setAttribute(name, value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}
const el = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);
const section = (title, ...children) => el("section", {}, el("h3", {}, title), ...children);
const pre = (text, label) => el("pre", { tabindex: 0, "aria-label": label }, text);
const pair = (name, value) => el("div", {}, el("dt", {}, name), el("dd", {}, value));

// ---- text
const number = (value) => value.toLocaleString("en");
const round = (value) => String(Math.round(value * 10) / 10);
const at = (point) => `${round(point[0])}, ${round(point[1])}`;
/** Steps count from 0 in the trajectory and from 1 on the page. */
const numberOf = (step) => step.index + 1;
const plural = (count, noun) => `${number(count)} ${noun}${count === 1 ? "" : "s"}`;

function seconds(value) {
  if (value < 0.9995) return `${(value * 1000).toFixed(value < 0.01 ? 1 : 0)} ms`;
  if (value < 99.95) return `${value.toFixed(value < 9.995 ? 2 : 1)} s`;
  const minutes = Math.floor(Math.round(value) / 60);
  const rest = `${Math.round(value) % 60} s`;
  return minutes < 60 ? `${minutes} min ${rest}` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** The content of an action, without its name and its point. */
function contentOf(action) {
  switch (action.kind) {
    case "scroll": return `${action.direction} × ${action.amount}`;
    case "wait": case "long_press": return seconds(action.seconds);
    case "mouse_down": case "mouse_up": return action.button === "left" ? "" : action.button;
    case "type": return `“${action.text}”`;
    default: return action.answer ?? action.message ?? action.url ?? action.name ?? "";
  }
}
const title = (action) => action.kind.replaceAll("_", " ");
const keysOf = (action) => action.keys || (action.key ? [action.key] : []);
function summary(action) {
  const where = action.kind === "drag" ? `${at(action.start)} → ${at(action.end)}` : action.point ? at(action.point) : "";
  return [title(action), keysOf(action).join(" + "), contentOf(action), where].filter(Boolean).join(" ");
}
const pointsOf = (action) => (action.kind === "drag" ? [action.start, action.end] : action.point ? [action.point] : []);
