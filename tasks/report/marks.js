// ---- marks, in pixels of the screenshot
function overlay(acts, width, height, box) {
  const layer = svg("svg", { class: "overlay", viewBox: `0 0 ${width} ${height}`, "data-width": width, "aria-hidden": "true" });
  const drawn = acts.filter((act) => act.action.point || DRAWN.has(act.action.kind));
  const tags = [];
  if (box) layer.append(svg("g", { class: "differs" }, twice("rect", { x: box[0], y: box[1], width: box[2] - box[0], height: box[3] - box[1] })));
  for (const act of drawn) {
    const order = acts.length > 1 ? `${acts.indexOf(act) + 1} ` : "";
    layer.append(svg("g", { class: act.event && !act.event.error ? "" : "failed" }, marksOf(act.action, order, [width, height], tags)));
  }
  return layer;
}
const twice = (tag, attributes) => ["halo", "ink"].map((name) => svg(tag, { ...attributes, class: `${name} ${attributes.class || ""}` }));
const placed = ([x, y], children, turn) => svg("g", { "data-x": x, "data-y": y, "data-turn": turn }, children);
const arrowHead = () => twice("path", { d: "M-11 -7 L0 0 L-11 7" });
const DRAWN = new Set(["drag", "scroll", "type"]);
const TURNS = { right: 0, down: 90, left: 180, up: 270 };
/** The ring leaves free what it is around: nothing is drawn on the target itself. */
const RING = 19;
const TICKS = "M-32 0H-26 M26 0H32 M0 -32V-26 M0 26V32";
const NAMED = new Set(["double_click", "right_click", "middle_click", "move", "mouse_down", "mouse_up", "long_press"]);

function marksOf(action, order, size, tags) {
  if (action.kind === "drag") return dragMarks(action, order, size, tags);
  // Nobody recorded which field had the focus, so text without a point stands in the corner.
  if (action.kind === "type" && !action.point) return [tag([0, size[1]], `${order}${short(summary(action), 60)}`, size, tags)];
  const point = action.point || [size[0] / 2, size[1] / 2];
  if (action.kind === "scroll") {
    const arrow = [...twice("path", { d: "M-26 0 L26 0" }), svg("g", { transform: "translate(26 0)" }, arrowHead())];
    return [placed(point, arrow, TURNS[action.direction]), tag(point, `${order}scroll ${contentOf(action)}`, size, tags)];
  }
  const rings = [...twice("circle", { r: RING, class: "ring" }), ...twice("path", { d: TICKS })];
  if (action.kind === "double_click") rings.push(...twice("circle", { r: RING + 6 }));
  const named = order || NAMED.has(action.kind) ? `${order}${title(action)} ${contentOf(action)}`.trim() : contentOf(action);
  const text = short(named, 40);
  return [placed(point, rings), ...(text ? [tag(point, text, size, tags)] : [])];
}
function dragMarks(action, order, size, tags) {
  const [from, to] = [action.start, action.end];
  const turn = (Math.atan2(to[1] - from[1], to[0] - from[0]) * 180) / Math.PI;
  const line = twice("line", { "data-from": from.join(), "data-to": to.join() }); // `rescale` gives it its ends
  const start = placed(from, twice("circle", { r: RING - 6, class: "ring" }));
  return [...line, start, placed(to, arrowHead(), turn), tag(from, `${order}drag`, size, tags, to)];
}

// ---- what was clicked, magnified beside the picture
const LOUPE = { width: 220, height: 132 };
/** Each place that was acted on, as it was before, under a magnifying glass; `image` is the picture on the stage. */
function loupes(image, observation, acts) {
  const drawn = acts.filter((act) => act.action.kind !== "scroll" && pointsOf(act.action).length).slice(0, 4);
  const places = drawn.flatMap((act) => pointsOf(act.action).map((point) => [point, title(act.action)]));
  return places.map(([point, name]) => {
    const zoom = (observation.size[0] < 640 ? 3 : 2) / observation.device_scale;
    const label = `Where it was acted (${name}, ${at(point)}), magnified`;
    const canvas = el("canvas", { class: "loupe", role: "img", "aria-label": label, title: "magnified, as it was before" });
    const draw = () => drawLoupe(canvas, image, point, zoom);
    if (image.complete) draw();
    else image.addEventListener("load", draw);
    return canvas;
  });
}
function drawLoupe(canvas, image, [x, y], zoom) {
  const sharp = Math.ceil(devicePixelRatio || 1);
  const [width, height] = [LOUPE.width / zoom, LOUPE.height / zoom];
  const clamped = (value, most) => Math.max(0, Math.min(value, most));
  const left = clamped(x - width / 2, image.naturalWidth - width);
  const top = clamped(y - height / 2, image.naturalHeight - height);
  Object.assign(canvas, { width: LOUPE.width * sharp, height: LOUPE.height * sharp });
  const pen = canvas.getContext("2d");
  pen.scale(sharp, sharp);
  pen.imageSmoothingEnabled = false;
  pen.drawImage(image, left, top, width, height, 0, 0, LOUPE.width, LOUPE.height);
  const [atX, atY] = [(x - left) * zoom, (y - top) * zoom];
  // Ticks at the edges point to the place; nothing lies on it.
  for (const [style, thickness] of [["#fff", 5], ["#7c3aed", 2.5]]) {
    Object.assign(pen, { strokeStyle: style, lineWidth: thickness });
    pen.beginPath();
    for (const [fromX, fromY, toX, toY] of [[atX, 0, atX, 10], [atX, LOUPE.height - 10, atX, LOUPE.height], [0, atY, 10, atY], [LOUPE.width - 10, atY, LOUPE.width, atY]]) {
      pen.moveTo(fromX, fromY);
      pen.lineTo(toX, toY);
    }
    pen.stroke();
  }
}

const short = (text, length) => (text.length > length ? `${text.slice(0, length - 1)}…` : text);

/** A label beside a point, on the side with room, clear of earlier labels there and of a line to `to`. */
function tag(point, text, [width, height], tags, to) {
  const leftward = point[0] > width * (!to ? 0.6 : to[0] > point[0] ? 0.2 : 0.8);
  const upward = point[1] > height * (!to ? 0.5 : to[1] > point[1] ? 0.2 : 0.8);
  const letters = [...text].length * 7.6 + 16;
  const left = leftward ? -letters - 30 : 30;
  const below = tags.filter((other) => Math.hypot(other[0] - point[0], other[1] - point[1]) < 8).length;
  tags.push(point);
  const top = upward ? -38 - 28 * below : 14 + 28 * below;
  const box = svg("rect", { class: "tag", x: left, y: top, width: letters, height: 24, rx: 7 });
  return placed(point, [box, svg("text", { x: left + letters / 2, y: top + 17, "text-anchor": "middle" }, text)]);
}

/** Lets a line begin at the edge of the ring around its start. */
function trim(line, radius) {
  const [from, to] = [line.dataset.from, line.dataset.to].map((point) => point.split(",").map(Number));
  const share = Math.min(1, radius / (Math.hypot(to[0] - from[0], to[1] - from[1]) || 1));
  const start = from.map((value, axis) => value + share * (to[axis] - value));
  for (const [name, value] of [["x1", start[0]], ["y1", start[1]], ["x2", to[0]], ["y2", to[1]]]) line.setAttribute(name, value);
}

/** Keeps the size of the marks on the page: each is scaled by screenshot pixels per page pixel. */
function rescale() {
  for (const layer of document.querySelectorAll(".stage .overlay")) {
    const ratio = Number(layer.dataset.width) / (layer.clientWidth || 1);
    for (const mark of layer.querySelectorAll("[data-x]")) {
      const { x, y, turn = 0 } = mark.dataset;
      mark.setAttribute("transform", `translate(${x} ${y}) scale(${ratio}) rotate(${turn})`);
    }
    for (const line of layer.querySelectorAll("[data-from]")) trim(line, (RING - 6) * ratio);
  }
}
