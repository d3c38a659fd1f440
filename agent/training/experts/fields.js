// Experts for tasks that are solved by typing, choosing a date or a value.

// Fill fields one after the other, then submit.
function form(s, contents) {
  for (const [selector, text] of contents) {
    const next = s.fill(s.one(selector), text);
    if (next) return next;
  }
  return s.submit();
}

const quotedInto = (...selectors) => s => form(s, selectors.map((selector, i) => [selector, s.quoted(i)]));

function algebra(s) {
  const [left, sign, right, result] = s.one('#math-problem').textContent.match(/\d+|x|[-+]/g);
  const total = Number(result);
  if (left === 'x') return sign === '+' ? total - Number(right) : total + Number(right);
  return sign === '+' ? total - Number(left) : Number(left) - total;
}

function arithmetic(s) {
  const [left, sign, right] = s.one('#math-problem').textContent.match(/\d+|[-+x]/g);
  const [a, b] = [Number(left), Number(right)];
  return { '+': a + b, '-': a - b, x: a * b }[sign];
}

Object.assign(EXPERTS, {
  'enter-text': quotedInto('#tt'),
  'enter-text-dynamic': quotedInto('#tt'),
  'enter-text-2': s => {
    const text = s.quoted();
    return form(s, [['#tt', s.goal.includes('upper') ? text.toUpperCase() : text.toLowerCase()]]);
  },
  'enter-password': s => form(s, [['#password', s.quoted()], ['#verify', s.quoted()]]),
  'login-user': quotedInto('#username', '#password'),
  'text-transform': s => form(s, [['#tt', s.one('#captcha').textContent]]),
  'simple-algebra': s => form(s, [['#math-answer', String(algebra(s))]]),
  'simple-arithmetic': s => form(s, [['#math-answer', String(arithmetic(s))]]),
  'visual-addition': s => form(s, [['#math-answer', String(s.all('.addition-block').length)]]),
  'find-word': s => {
    const words = s.one('#area p').textContent.match(/\w+/g);
    return form(s, [['#answer-input', words[Number(s.word(/the (\d+)/)) - 1]]]);
  },
  'read-table': s => {
    const cells = s.all('#tab td').map(e => e.textContent);
    return form(s, [['#tt', cells[cells.indexOf(s.word(/value of (.*) into/)) + 1]]]);
  },
});

// --- dates and times

// A field of parts (month, day, year) takes their digits one after the other from its first part on.
function parts(s, field, value, digits) {
  if (field.value === value) return s.submit();
  const box = field.getBoundingClientRect();
  if (s.focused(field) && !field.value) return s.type(digits);
  return s.at({ x: box.x + 8, y: box.y + box.height / 2 });
}

const two = number => String(number).padStart(2, '0');

const MONTHS = ('January February March April May June July August September October November December').split(' ');

Object.assign(EXPERTS, {
  'enter-date': s => {
    const [month, day, year] = s.goal.match(/\d+/g).map(Number);
    return parts(s, s.one('#tt'), `${year}-${two(month)}-${two(day)}`, `${two(month)}${two(day)}${year}`);
  },
  'enter-time': s => {
    const [, hour, minute, half] = s.goal.match(/(\d+):(\d+) ?([AP]M)/);
    const hours = (Number(hour) % 12) + (half === 'PM' ? 12 : 0);
    return parts(s, s.one('#tt'), `${two(hours)}:${minute}`, `${two(Number(hour))}${minute}${half}`);
  },
});

const chooseDate = s => {
  const [month, day, year] = s.goal.match(/\d+/g).map(Number);
  const field = s.one('#datepicker');
  if (field.value === `${two(month)}/${two(day)}/${year}`) return s.submit();
  const title = s.one('.ui-datepicker-month');
  if (!title) return s.click(field);
  const shown = MONTHS.indexOf(title.textContent) + 12 * Number(s.one('.ui-datepicker-year').textContent);
  const wanted = month - 1 + 12 * year;
  if (shown !== wanted) return s.clickOne(shown > wanted ? '.ui-datepicker-prev' : '.ui-datepicker-next');
  return s.clickOne('.ui-datepicker-calendar td a', String(day));
};
EXPERTS['choose-date-nodelay'] = chooseDate;
EXPERTS['choose-date'] = chooseDate;
EXPERTS['choose-date-easy'] = chooseDate;
EXPERTS['choose-date-medium'] = chooseDate;

// --- values

const completed = s => {
  const [begin, end = ''] = [s.quoted(0), s.quoted(1)];
  const right = text => text.startsWith(begin) && text.endsWith(end);
  const field = s.one('#tags');
  const item = s.all('.ui-autocomplete li').find(e => right(e.textContent.trim()));
  if (right(field.value) && s.win.ITEMS.includes(field.value)) return s.submit();
  if (item && s.free(item)) return s.click(item);
  const answer = s.win.ITEMS.find(right);
  return s.fill(field, answer.startsWith(field.value) && field.value.length >= begin.length ? answer : begin);
};
EXPERTS['use-autocomplete-nodelay'] = completed;
EXPERTS['use-autocomplete'] = completed;

const colorField = (s, hex) => {
  const field = s.one('#col');
  // The colour wheel lies over the button until something else is clicked.
  return s.fill(field, hex.replace('#', '').toUpperCase()) || s.submit() || s.clickOne('#query');
};

function hexOf(rgb) {
  return rgb.match(/\d+/g).slice(0, 3).map(n => Number(n).toString(16).padStart(2, '0')).join('');
}

Object.assign(EXPERTS, {
  'use-colorwheel': s => colorField(s, s.win.ui_utils.colorNameToHex(s.word(/Select (\w+) with/))),
  'use-colorwheel-2': s => colorField(s, hexOf(s.win.getComputedStyle(s.one('.cc')).backgroundColor)),
});
