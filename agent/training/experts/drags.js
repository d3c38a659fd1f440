// Experts for tasks that are solved by drags, and for shapes and angles.

// --- sliders

// Drag the handle of a jQuery UI slider to a value, then correct it with the arrow keys; null once it is there.
function slide(s, selector, value) {
  const jquery = s.win.jQuery(selector);
  const [low, high] = [jquery.slider('option', 'min'), jquery.slider('option', 'max')];
  const now = jquery.slider('value');
  if (now === value) return null;
  const handle = s.one(`${selector} .ui-slider-handle`);
  const box = s.doc.querySelector(selector).getBoundingClientRect();
  const level = jquery.slider('option', 'orientation') === 'horizontal';
  const pixels = (level ? box.width : box.height) / (high - low);
  if (s.focused(handle) && Math.abs(now - value) * pixels < 6) {
    return s.press(now < value ? 'right' : 'left');
  }
  const start = s.middle(handle);
  const share = (value - low) / (high - low);
  const end = level ? { x: box.x + share * box.width, y: start.y } : { x: start.x, y: box.y + (1 - share) * box.height };
  return s.drag(start, end);
}

Object.assign(EXPERTS, {
  'use-slider': s => slide(s, '#slider', Number(s.word(/Select (-?\d+)/))) || s.submit(),
  'use-slider-2': s => {
    const values = s.goal.match(/-?\d+/g).slice(0, 3).map(Number);
    for (const [i, value] of values.entries()) {
      const next = slide(s, `#slider-${i + 1}`, value);
      if (next) return next;
    }
    return s.submit();
  },
});

// --- lists

function sortable(s) {
  return s.all('#sortable li').map(e => ({ name: e.textContent.trim(), at: s.middle(e), box: e.getBoundingClientRect() }));
}

function moveItem(s, items, from, to) {
  if (!items[from] || !items[to]) return null;
  const over = Math.sign(to - from) * items[to].box.height * .35;
  return s.drag(items[from].at, { x: items[to].at.x, y: items[to].at.y + over });
}

Object.assign(EXPERTS, {
  'drag-items': s => {
    const items = sortable(s);
    const from = items.findIndex(item => item.name === s.word(/Drag (\w+)/));
    const place = s.word(/the (\d)/);
    const to = s.goal.includes('to the top') ? 0
      : s.goal.includes('to the bottom') ? items.length - 1
      : s.goal.includes('down by one') ? from + 1
      : s.goal.includes('up by one') ? from - 1
      : Number(place) - 1;
    return moveItem(s, items, from, to);
  },
  'drag-items-grid': s => {
    const items = sortable(s);
    const from = items.findIndex(item => item.name === s.word(/Drag (\w+)/));
    const steps = { 'up by one': -3, 'down by one': 3, 'left by one': -1, 'right by one': 1 };
    const names = ['top left', 'top center', 'top right', 'center left', 'center.', 'center right', 'bottom left',
      'bottom center', 'bottom right'];
    const step = Object.keys(steps).find(name => s.goal.includes(name));
    const to = step ? from + steps[step] : names.findIndex(name => s.goal.includes(`to the ${name}`));
    if (!items[from] || !items[to]) return null;
    // The list compares the pointer with the middle of what lies below it, sideways before up and down.
    const [start, end] = [items[from].at, items[to].at];
    const side = Math.sign(Math.round(end.x - start.x)) || Math.sign(to - from);
    return s.drag(start, { x: end.x + 8 * side, y: end.y });
  },
  'drag-sort-numbers': s => {
    const items = sortable(s);
    const values = items.map(item => Number(item.name));
    const sorted = values.toSorted((a, b) => a - b);
    const to = values.findIndex((value, i) => value !== sorted[i]);
    return to < 0 ? s.submit() : moveItem(s, items, values.indexOf(sorted[to], to), to);
  },
});

// --- boxes and handles

// A point of the element that can be grabbed; null if something covers it.
function grip(s, e) { return s.free(e); }

Object.assign(EXPERTS, {
  'drag-box': s => {
    const [small, large] = [s.one('#draggableSmall'), s.one('#draggableLarge')];
    const [a, b] = [small.getBoundingClientRect(), large.getBoundingClientRect()];
    if (a.x > b.x && a.y > b.y && a.right < b.right && a.bottom < b.bottom) return s.submit();
    const hold = grip(s, small);
    const [from, to] = [s.middle(small), s.middle(large)];
    if (!hold) return s.drag(grip(s, large), { x: to.x + (to.x < 80 ? 40 : -40), y: to.y });
    return s.drag(hold, { x: hold.x + to.x - from.x, y: hold.y + to.y - from.y });
  },
  'drag-shapes': s => {
    const tags = { rectangles: 'rect:not(#shape-container)', circles: 'circle', triangles: 'polygon' };
    const box = s.doc.querySelector('#shape-container').getBoundingClientRect();
    const shapes = s.all(`#area_svg ${tags[s.word(/Drag all (\w+)/)]}`);
    const inside = e => {
      const at = s.middle(e);
      return at.x > box.x && at.x < box.right && at.y > box.y && at.y < box.bottom;
    };
    const next = shapes.find(e => !inside(e));
    if (!next) return s.submit();
    const at = s.middle(next);
    return s.drag({ x: at.x, y: at.y + 1 }, { x: box.x + 14 + 17 * shapes.filter(inside).length, y: box.y + box.height / 2 });
  },
  'resize-textarea': s => {
    const area = s.one('#tt');
    const side = s.goal.includes('width') ? 'width' : 'height';
    const size = area.getBoundingClientRect()[side];
    area.firstSize ??= { width: area.getBoundingClientRect().width, height: area.getBoundingClientRect().height };
    const change = s.goal.includes('larger') ? 1 : -1;
    if ((size - area.firstSize[side]) * change > 4) return s.submit();
    const corner = s.middle(s.one('.ui-resizable-se'));
    const move = 15 * change;
    return s.drag(corner, { x: corner.x + (side === 'width' ? move : 0), y: corner.y + (side === 'height' ? move : 0) });
  },
  'highlight-text': s => {
    const box = s.one('#randomText').getBoundingClientRect();
    if (String(s.win.getSelection()).trim()) return s.submit();
    return s.drag({ x: box.left + .5, y: box.top + 3 }, { x: Math.min(box.right, 159) - 1, y: box.bottom - 3 });
  },
});

// --- shapes

const SHAPE_NAMES = { rect: 'rectangle', circle: 'circle', polygon: 'triangle' };
const COLOR_NAMES = ['red', 'green', 'blue', 'aqua', 'black', 'magenta', 'yellow'];

function shapes(s) {
  const known = e => e.tagName in SHAPE_NAMES || e.tagName === 'text';
  return s.all('#area_svg > *').filter(e => known(e) && e.id !== 'shape-container').map(e => {
    const box = e.getBoundingClientRect();
    const written = e.tagName === 'text';
    const text = written ? e.textContent : SHAPE_NAMES[e.tagName];
    const large = written ? parseFloat(e.getAttribute('font-size')) >= 20 : box.width >= 18;
    const at = s.middle(e);
    return {
      size: large ? 'large' : 'small', text, color: e.getAttribute('fill'),
      type: written ? (/[0-9]/.test(text) ? 'digit' : 'letter') : 'shape',
      at: { x: at.x, y: at.y + (text === 'triangle' ? 2 : 0) },
    };
  });
}

function fits(shape, description) {
  return description.split(' ').every(word => {
    if (['large', 'small'].includes(word)) return shape.size === word;
    if (COLOR_NAMES.includes(word)) return shape.color === word;
    if (['item', 'items'].includes(word)) return true;
    if (['letter', 'digit', 'shape'].includes(word)) return shape.type === word;
    return shape.text === word;
  });
}

// The number of sides of the polygon on a canvas: how often its radius rises and falls around the middle.
function sides(canvas) {
  const context = canvas.getContext('2d');
  context.setTransform(1, 0, 0, 1, 0, 0);
  const data = context.getImageData(0, 0, 150, 100).data;
  const radius = [...Array(720).keys()].map(half => {
    const angle = half * Math.PI / 360;
    let best = 0;
    for (let r = 5; r < 42; r += .5) {
      const place = (Math.round(50 + r * Math.sin(angle)) * 150 + Math.round(75 + r * Math.cos(angle))) * 4;
      if (data[place + 3] > 100) best = r;
    }
    return best;
  });
  const strength = n => {
    const sum = f => radius.reduce((total, r, half) => total + r * f(half * Math.PI / 360 * n), 0);
    return sum(Math.cos) ** 2 + sum(Math.sin) ** 2;
  };
  return [3, 4, 5, 6, 7].reduce((best, n) => (strength(n) > strength(best) ? n : best), 3);
}

Object.assign(EXPERTS, {
  'click-shape': s => {
    const found = shapes(s).find(shape => fits(shape, s.word(/Click on an? (.*)/)));
    return found ? s.at(found.at) : null;
  },
  'count-shape': s => {
    const description = s.word(/How many (.*) are there/).replace(/s$/, '');
    return s.clickOne('#count-buttons button', String(shapes(s).filter(shape => fits(shape, description)).length));
  },
  'identify-shape': s => {
    const [shape] = shapes(s);
    return s.clickOne(`button[data-type='${shape.type === 'shape' ? shape.text : shape.type}']`);
  },
  'count-sides': s => s.clickOne(`#form button[data-sides='${sides(s.doc.getElementById('c'))}']`),
});

// --- points and angles: put the blue point where it belongs, then submit

function place(s, point) {
  const kept = { x: Math.min(Math.max(point.x, 4), 150), y: Math.min(Math.max(point.y, 54), 178) };
  const blue = s.doc.querySelector('#blue-circle');
  return blue && s.near(blue, kept, 3) ? s.submit() : s.at(kept);
}

const polar = (from, radius, angle) => ({ x: from.x + radius * Math.cos(angle), y: from.y + radius * Math.sin(angle) });
const within = p => p.x > 4 && p.x < 150 && p.y > 54 && p.y < 175;
const angleTo = (from, to) => Math.atan2(to.y - from.y, to.x - from.x);
const distance = (a, b) => Math.hypot(a.x - b.x, a.y - b.y);

Object.assign(EXPERTS, {
  'circle-center': s => place(s, s.middle(s.one('.black-circle'))),
  'find-midpoint': s => {
    const [a, b] = s.all('.black-circle').map(e => s.middle(e));
    return place(s, { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 });
  },
  'bisect-angle': s => {
    const vertex = s.middle(s.one('.init-blue'));
    const ends = s.all('.init-black').map(e => s.middle(e));
    const angles = ends.map(end => angleTo(vertex, end));
    const sum = f => angles.reduce((total, angle) => total + f(angle), 0);
    const radius = Math.min(...ends.map(end => distance(vertex, end))) / 2;
    return place(s, polar(vertex, radius, Math.atan2(sum(Math.sin), sum(Math.cos))));
  },
  'right-angle': s => {
    const [vertex, end] = [s.middle(s.one('#init-blue')), s.middle(s.one('#init-black'))];
    const angle = angleTo(vertex, end);
    const places = [30, 20, 12].flatMap(r => [1, -1].map(side => polar(vertex, r, angle + side * Math.PI / 2)));
    return place(s, places.find(within) || places[0]);
  },
});
