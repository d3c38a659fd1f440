// What an expert sees of a MiniWoB++ page, and the actions it can answer with, in CSS pixels of the page.
// An expert is a function from the state of the page to the next action, so that it can go on from any state
// that a policy reaches (DAgger, arXiv 1011.0686). It answers null where it knows none.

const EXPERTS = {};

class Sight {
  constructor(win) {
    this.win = win;
    this.doc = win.document;
    this.goal = win.core.getUtterance();
    if (typeof this.goal !== 'string') this.goal = this.goal.utterance;
    this.goal = this.goal.replace(/\s+/g, ' ').trim();
  }

  // --- the page

  all(selector, text = null) {
    const named = e => text === null || (e.textContent || e.value || '').trim() === text;
    return [...this.doc.querySelectorAll(selector)].filter(e => e.getClientRects().length && named(e));
  }

  one(selector, text = null) { return this.all(selector, text)[0] || null; }

  quoted(nth = 0) { return [...this.goal.matchAll(/"([^"]*)"/g)].map(m => m[1])[nth]; }

  word(pattern) { return (this.goal.match(pattern) || [])[1]; }

  middle(e) {
    const box = e.getBoundingClientRect();
    return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  }

  // A point of the element that nothing else covers and that the picture shows, preferably its middle.
  free(e) {
    const box = e.getClientRects()[0];
    const inside = ([x, y]) => x >= 0 && y >= 0 && x < 160 && y < 210;
    const on = p => inside(p) && e.contains(this.doc.elementFromPoint(...p));
    const parts = [.5, .2, .8, .05, .95];
    const places = parts.flatMap(v => parts.map(u => [box.x + u * box.width, box.y + v * box.height]));
    const found = places.find(on);
    return found ? { x: found[0], y: found[1] } : null;
  }

  focused(e) { return this.doc.activeElement === e; }

  near(e, point, distance = 4) {
    const at = this.middle(e);
    return Math.hypot(at.x - point.x, at.y - point.y) <= distance;
  }

  // --- actions

  at(point) { return { kind: 'click', point }; }

  click(e) {
    const point = e && this.free(e);
    return point ? this.at(point) : null;
  }

  clickOne(selector, text = null) { return this.click(this.one(selector, text)); }

  drag(start, end) {
    const kept = p => ({ x: Math.min(Math.max(p.x, 1), 158), y: Math.min(Math.max(p.y, 1), 208) });
    return { kind: 'drag', start: kept(start), end: kept(end) };
  }

  type(text) { return { kind: 'type', text }; }

  press(key) { return { kind: 'press', key }; }

  // The next action towards a field that holds the text; null once it does.
  fill(e, text) {
    if (e.value === text) return null;
    if (!this.focused(e)) return this.click(e);
    const whole = e.value && e.selectionStart === 0 && e.selectionEnd === e.value.length;
    if (whole || !e.value) return this.type(text);
    if (text.startsWith(e.value) && e.selectionStart === e.value.length) return this.type(text.slice(e.value.length));
    return { kind: 'hotkey', keys: ['ctrl', 'a'] };
  }

  submit() { return this.clickOne('#subbtn') || this.clickOne('#submit'); }
}

function nextAction(win, task) {
  if (win.WOB_DONE_GLOBAL || !EXPERTS[task]) return null;
  return EXPERTS[task](new Sight(win));
}
