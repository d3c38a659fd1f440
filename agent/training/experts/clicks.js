// Experts for tasks that are solved by clicks on what has a name, a colour or a place.

const clicks = selector => s => s.clickOne(selector);
const quotedIn = selector => s => s.clickOne(selector, s.quoted());

Object.assign(EXPERTS, {
  'click-test': clicks('#subbtn'),
  'click-test-2': clicks('#subbtn'),
  'click-test-transfer': s => s.clickOne('button', s.word(/button (\w+)/i)),
  'click-dialog': clicks('.ui-dialog-titlebar-close'),
  'click-dialog-2': s =>
    s.quoted() === 'x' ? s.clickOne('.ui-dialog-titlebar-close') : s.clickOne('.ui-dialog button', s.quoted()),
  'click-button': quotedIn('button'),
  'click-link': quotedIn('.alink'),
  'unicode-test': quotedIn('button'),
  'click-widget': s => s.clickOne(`[data-type='${s.quoted()}']`),
  'click-tab': s => s.clickOne('a.ui-tabs-anchor', s.word(/(Tab #\d)/)),
  'click-color': s => s.clickOne(`#area [data-color='${s.word(/on the (\w+)/)}']`),
  'click-button-sequence': s => s.clickOne('button', s.win.buttonsPushed.length ? 'TWO' : 'ONE'),
  'grid-coordinate': s => s.clickOne(`[id='${s.word(/(\(.*\))/)}']`),
  'focus-text': clicks('#area input'),
  'focus-text-2': s => s.click(s.all('#area input')[+s.word(/(\d)/) - 1]),
});

// --- boxes to tick

function tick(s, wanted) {
  for (const label of s.all('#area label')) {
    const box = label.querySelector('input');
    if (box.checked !== wanted(label.textContent.trim())) return s.click(label) || s.click(box);
  }
  return s.submit();
}

function ticked(s) {
  const names = s.word(/Select (.*) and click/).split(', ');
  return tick(s, name => names.includes(name));
}

function similar(s) {
  const words = s.word(/similar to (.*) and click/).split(', ');
  const groups = s.win.SYNONYMS.filter(group => words.some(word => group.includes(word)));
  return tick(s, name => groups.some(group => group.includes(name)));
}

Object.assign(EXPERTS, {
  'click-checkboxes': ticked,
  'click-checkboxes-large': ticked,
  'click-checkboxes-transfer': ticked,
  'click-checkboxes-soft': similar,
  'click-option': ticked,
  'number-checkboxes': s => {
    const pattern = s.win.PATTERNS[+s.quoted()].flat();
    const boxes = s.all('#checkboxes input');
    const wrong = boxes.findIndex((box, i) => box.checked !== Boolean(pattern[i]));
    return wrong < 0 ? s.submit() : s.click(boxes[wrong]);
  },
  'click-shades': s => {
    const color = s.word(/shades of (\w+)/);
    const wrong = s.all('#area span').find(
      e => (e.className === 'selected') !== (e.getAttribute('data-color') === color));
    return wrong ? s.click(wrong) : s.submit();
  },
});

// --- what has to be opened first, in reading order, as whoever cannot look inside would do it

function linkIn(s, parts, isOpen) {
  const link = s.one('span.alink', s.quoted());
  if (link && s.free(link)) return s.click(link);
  const next = parts.findIndex(isOpen) + 1;
  return s.click(parts[next % parts.length]);
}

const openTab = s => linkIn(s, s.all('a.ui-tabs-anchor'), e => e.parentElement.classList.contains('ui-tabs-active'));

Object.assign(EXPERTS, {
  'click-tab-2': openTab,
  'click-tab-2-easy': openTab,
  'click-tab-2-medium': openTab,
  'click-tab-2-hard': openTab,
  'click-collapsible': s => s.clickOne(s.one('.ui-accordion-content') ? '#subbtn' : '#area h3'),
  'click-collapsible-nodelay': s => s.clickOne(s.one('.ui-accordion-content') ? '#subbtn' : '#area h3'),
  'click-collapsible-2-nodelay': s =>
    linkIn(s, s.all('#area h3'), e => e.classList.contains('ui-accordion-header-active')),
  'click-pie-nodelay': s => {
    const labels = s.all('#divWheel text');
    const label = labels.find(e => e.textContent.trim() === s.quoted() && e.getBoundingClientRect().width);
    // The first item counts as chosen already, and a click on it changes nothing.
    if (label) return label.id.endsWith('title-0') ? null : s.at(s.middle(label));
    const spreader = labels.find(e => e.textContent.trim() === '+') || s.one('[id$=spreader]');
    return s.at(s.middle(spreader));
  },
  'navigate-tree': s => {
    const found = s.all('#tree span').find(e => e.textContent === s.quoted());
    if (found) return s.click(found);
    const closed = s.all('#tree span.folder').find(e => {
      const inner = e.parentElement.querySelector('ul');
      return inner && !inner.getClientRects().length;
    });
    return s.click(closed);
  },
});

// --- mail

const mailAction = (pattern, mark) => s => {
  const senders = s.all('.email-sender').map(e => e.textContent);
  return s.click(s.all(`.email-thread ${mark}`)[senders.indexOf(s.word(pattern))]);
};

Object.assign(EXPERTS, {
  'email-inbox-delete': mailAction(/email by (\w+)/, '.trash'),
  'email-inbox-important': mailAction(/(?:by|from) (\w+)/, '.star'),
});

// --- tic-tac-toe

const LINES = [[0, 1, 2], [3, 4, 5], [6, 7, 8], [0, 3, 6], [1, 4, 7], [2, 5, 8], [0, 4, 8], [2, 4, 6]];

function bestField(fields) {
  const count = (line, mark, on = fields) => line.filter(i => on[i] === mark).length;
  for (const mark of ['x', 'o']) {
    const line = LINES.find(l => count(l, mark) === 2 && count(l, '') === 1);
    if (line) return line.find(i => !fields[i]);
  }
  const worth = i => {
    const then = fields.with(i, 'x');
    const threats = LINES.filter(l => count(l, 'x', then) === 2 && count(l, '', then) === 1).length;
    return threats * 100 + (i === 4) * 10 + [0, 2, 6, 8].includes(i);
  };
  const free = [...fields.keys()].filter(i => !fields[i]);
  return free.reduce((best, i) => (worth(i) > worth(best) ? i : best), free[0]);
}

EXPERTS['tic-tac-toe'] = s => {
  const fields = [...Array(9).keys()].map(i => {
    const mark = s.doc.querySelector(`#ttt-${i}`).className;
    return /mark-x/.test(mark) ? 'x' : /mark-o/.test(mark) ? 'o' : '';
  });
  return s.clickOne(`#ttt-${bestField(fields)}`);
};

// --- further tasks

Object.assign(EXPERTS, {
  'odd-or-even': s => {
    const rows = s.all('.row, .numbers, #area > div').filter(e => e.querySelector('.display-number'));
    for (const row of rows) {
      const odd = Number(row.querySelector('.display-number').textContent) % 2 !== 0;
      const button = row.querySelector(odd ? '.odd' : '.even');
      if (!/selected|active|chosen/.test(button.className)) return s.click(button);
    }
    return s.submit();
  },
});
