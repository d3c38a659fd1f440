// Labels of training pages, read from the DOM: clickable elements and the centre of every visible character.
function scanPage(win, clip) {
  const doc = win.document;
  const inside = (x, y) => x >= clip.x && y >= clip.y && x < clip.x + clip.w && y < clip.y + clip.h;
  const hits = (el, x, y) => {
    const top = doc.elementFromPoint(x, y);
    return top !== null && (top === el || el.contains(top));
  };
  const roleOf = (el) => {
    if (el.dataset && el.dataset.role) return el.dataset.role;
    if (el.classList.contains('ui-dialog-titlebar-close')) return 'close';
    if (el.classList.contains('ui-tabs-anchor')) return 'tab';
    if (el.tagName === 'BUTTON') return 'button';
    if (el.tagName === 'A' || el.classList.contains('alink')) return 'link';
    if (el.tagName === 'TEXTAREA') return 'textbox';
    if (el.tagName === 'SELECT') return 'list';
    if (el.tagName !== 'INPUT') return 'other';
    if (['button', 'submit', 'reset'].includes(el.type)) return 'button';
    if (['checkbox', 'radio'].includes(el.type)) return el.type;
    return 'textbox';
  };
  const chars = [];
  const walker = doc.createTreeWalker(clip.root || doc.body, 4);
  const range = doc.createRange();
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const parent = node.parentElement;
    if (!parent || ['SCRIPT', 'STYLE'].includes(parent.tagName) || !node.data.trim()) continue;
    for (let i = 0; i < node.data.length; i++) {
      if (!node.data[i].trim()) continue;
      range.setStart(node, i);
      range.setEnd(node, i + 1);
      const r = range.getBoundingClientRect();
      const x = r.x + r.width / 2, y = r.y + r.height / 2;
      if (r.width < 1 || !inside(x, y)) continue;
      const top = doc.elementFromPoint(x, y);
      if (top === null || !(top === parent || parent.contains(top) || top.contains(parent))) continue;
      chars.push([node.data[i], x - clip.x, y - clip.y]);
    }
  }
  const elements = [];
  const selector = 'button,a,input,textarea,select,.alink,[data-role]';
  for (const el of (clip.root || doc).querySelectorAll(selector)) {
    if (el.parentElement.closest('[data-role]')) continue;
    const rects = Array.from(el.getClientRects()).filter((r) => r.width > 1 && r.height > 1);
    if (rects.length === 0) continue;
    const r = rects[0];
    let best = null, count = 0;
    for (let i = 1; i < 10; i++) for (let j = 1; j < 10; j++) {
      const x = r.x + r.width * i / 10, y = r.y + r.height * j / 10;
      if (!inside(x, y) || !hits(el, x, y)) continue;
      count += 1;
      const d = (Math.abs(i - 5) + Math.abs(j - 5)) / 10;
      if (best === null || d < best.d) best = {d: d, x: x, y: y};
    }
    if (count < 8) continue;
    elements.push({
      role: roleOf(el),
      text: (el.dataset.name || el.textContent || el.value || '').replace(/\s+/g, ' ').trim(),
      box: [r.left - clip.x, r.top - clip.y, r.right - clip.x, r.bottom - clip.y],
      point: [best.x - clip.x, best.y - clip.y],
    });
  }
  return {chars: chars, elements: elements};
}

// Each cell of a sheet of synthetic pages.
window.scanCells = () => Array.from(document.querySelectorAll('.cell')).map((cell) => {
  const r = cell.getBoundingClientRect();
  return scanPage(window, {x: r.x, y: r.y, w: r.width, h: r.height, root: cell});
});

// Each frame of a sheet of MiniWoB++ pages.
window.startAll = ({seed, mode}) => Array.from(frames).forEach((f, i) => {
  f.Math.seedrandom(seed + i);
  f.core.setDataMode(mode);
  f.core.EPISODE_MAX_TIME = 3.6e6;
  f.core.startEpisodeReal();
  // Only one frame can hold the focus; in the others, draw what focus would look like.
  const active = f.document.activeElement;
  if (active && active.classList.contains('ui-button')) active.classList.add('ui-state-focus');
});
window.scanFrames = () => Array.from(frames).map((f) => {
  const found = scanPage(f, {x: 0, y: 0, w: 160, h: 210});
  const asked = f.core.getUtterance();
  found.utterance = typeof asked === 'string' ? asked : asked.utterance;
  return found;
});
