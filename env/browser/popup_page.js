// Shows the popup of a form control in a page of its own: its own document in a frame, with what Chromium gives to
// such a document. Playwright evaluates this function with [html, view, shift].
//
// view: width and height of what is seen of the page, in CSS pixels. shift: where the page lies on the screen.
([html, view, shift]) => {
  // In ms: what is chosen is shown for a moment before the popup closes; a column of a clock snaps after a second.
  const LONGEST = 500, SOON = 100;
  document.body.style.margin = '0';
  const frame = document.createElement('iframe');
  frame.style = 'position: absolute; border: 0; left: 0; top: 0; width: 1px; height: 1px; transform-origin: 0 0';
  const calls = [];
  const parameters = () => frame.contentWindow.dialogArguments || {};
  const format = (options, value) => new Intl.DateTimeFormat(parameters().locale, options).format(value);

  // The list counts groups and lines, too; the control counts its options.
  const position = wanted => {
    const options = [];
    const count = items => {
      for (const item of items || []) {
        if (!item.type || item.type === 'option') options.push(item);
        count(item.children);
      }
    };
    count(parameters().children);
    return options.findIndex(item => String(item.value) === String(wanted));
  };
  const set = value => {
    const {children, selectedColor} = parameters();
    if (children) calls.push(['value', position(value)]);
    else calls.push([selectedColor === undefined ? 'value' : 'preview', String(value)]);
  };
  const close = () => calls.push(['close', '']);
  const place = (x, y, width, height) => {
    const scale = Math.min(1, view.width / width, view.height / height);
    const within = (at, size, whole) => Math.max(0, Math.min(at, whole - size * scale));
    setTimeout(() => Object.assign(frame.style, {
      left: `${Math.round(within(x - shift.x, width, view.width))}px`,
      top: `${Math.round(within(y - shift.y, height, view.height))}px`,
      width: `${width}px`, height: `${height}px`, transform: scale < 1 ? `scale(${scale})` : '',
    }), 0);
  };

  window.popup = {
    screen: {availLeft: shift.x, availTop: shift.y, availWidth: view.width, availHeight: view.height},
    controller: {
      setWindowRect: place,
      setValue: value => { if (!parameters().children) set(value); },
      setValueAndClosePopup: (action, value) => { if (action === 0) set(value); close(); },
      closePopup: close,
      openEyeDropper: () => calls.push(['refused', 'the eyedropper']),
      setMenuListOptionsBoundsInAXTree: () => {},
      selectFontsFromOwnerDocument: () => {},
      localizeNumberString: text => String(text).replace(
        /[0-9]/g, digit => new Intl.NumberFormat(parameters().locale).format(+digit)),
      formatMonth: (year, month) => format({year: 'numeric', month: 'long'}, new Date(year, month)),
      formatShortMonth: (year, month) => format({year: 'numeric', month: 'short'}, new Date(year, month)),
      formatWeek: (year, week) => `${year}-W${week}`,
    },
    timers: new Set(),
    state: async () => {
      const end = performance.now() + LONGEST;
      while (window.popup.timers.size && performance.now() < end) await new Promise(next => setTimeout(next, 5));
      const box = frame.getBoundingClientRect();
      return {calls: calls.splice(0), box: [box.left, box.top, box.width, box.height]};
    },
  };
  const given = `<script>
    Object.defineProperty(window, 'frameElement', {value: null});
    Object.defineProperty(window, 'screen', {value: parent.popup.screen});
    window.pagePopupController = parent.popup.controller;
    (({timers}, start, stop) => {
      window.setTimeout = (run, after = 0) => {
        const timer = start(() => { timers.delete(timer); run(); }, after < ${LONGEST} ? after : ${SOON});
        timers.add(timer);
        return timer;
      };
      window.clearTimeout = timer => { timers.delete(timer); stop(timer); };
    })(parent.popup, window.setTimeout, window.clearTimeout);
  </script>`;
  return new Promise(done => {
    frame.addEventListener('load', () => {
      const focused = frame.contentDocument.activeElement;
      frame.contentWindow.focus();
      focused.focus({preventScroll: true});
      done();
    }, {once: true});
    frame.srcdoc = html.replace('<head>', () => `<head>${given}`);
    document.body.replaceChildren(frame);
  });
}
