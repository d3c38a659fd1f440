// Reports what a person does on a page, in every frame, before the page's own handlers.
//
// It runs in a world of its own: it shares the document with the page's scripts and nothing else. They can
// neither see nor replace anything here, and only events that the browser itself marks as trusted count.
(() => {
  if (globalThis.saccadeLook) return;
  const binding = globalThis.saccadeReport;

  // ---------------------------------------------------------------- secret fields

  const secretName = /passw|passcode|pwd|secret|otp/i;
  const hidden = new Set(["current-password", "new-password", "one-time-code", "cc-number", "cc-csc"]);
  const watched = ["type", "autocomplete", "name", "id"];
  const field = "input, textarea, [contenteditable]";
  const known = new Set();  // once a secret field, always one: a button may show what it holds
  const values = new Map();  // of those fields, as a page may show them in another one instead
  const worthHiding = 4;

  const tells = (attribute, value) => {
    if (attribute === "type") return value.toLowerCase() === "password";
    if (attribute === "autocomplete") return value.toLowerCase().split(/\s+/).some((word) => hidden.has(word));
    return secretName.test(value);
  };
  const echoes = (element) => {
    const value = element.value;
    if (typeof value !== "string" || value.length < worthHiding) return false;
    for (const each of values.values()) if (each === value) return true;
    return false;
  };
  const isSecret = (element) => {
    if (!(element instanceof Element)) return false;
    if (known.has(element)) return true;
    const told = element.matches(field)
      ? watched.some((each) => tells(each, element.getAttribute(each) || "")) || echoes(element)
      : tells("autocomplete", element.getAttribute("autocomplete") || "");
    if (told || hidesFocus(element)) known.add(element);
    return known.has(element);
  };
  // Nobody may look into a closed shadow root: its host has the focus, and yet has it not.
  const hidesFocus = (element) => {
    if (element.shadowRoot || element !== element.ownerDocument.activeElement) return false;
    if (element.matches("input, select, textarea, button, a[href], area, summary, iframe, frame, object, embed, "
      + "audio, video, body, html") || element.isContentEditable) return false;
    return !element.matches(":focus") || (element.localName.includes("-") && !element.hasAttribute("tabindex"));
  };
  const fields = function* (root) {
    for (const element of root.querySelectorAll("*")) {
      if (element.shadowRoot) { watch(element.shadowRoot); yield* fields(element.shadowRoot); }
      if (isSecret(element) || element.matches("input, textarea, select")) yield element;
    }
  };
  const roots = new WeakSet();
  const watch = (root) => {
    if (roots.has(root)) return;
    roots.add(root);
    observer.observe(root, {
      subtree: true, childList: true, attributes: true, attributeFilter: watched, attributeOldValue: true,
    });
  };
  const observer = new MutationObserver((records) => {
    listenToAll();  // document.open() removes every listener
    for (const { target, attributeName, oldValue, addedNodes } of records) {
      if (attributeName && target.matches(field) && tells(attributeName, oldValue || "")) known.add(target);
      if (attributeName) isSecret(target);
      for (const node of addedNodes) if (node instanceof Element) { isSecret(node); for (const _ of fields(node)); }
    }
  });

  // ---------------------------------------------------------------- reports

  let forged = 0;
  let move = null, moveTimer = null;
  const post = (what) => binding(JSON.stringify(what));
  const flush = () => {
    clearTimeout(moveTimer);
    const pending = move;
    move = moveTimer = null;
    if (pending) post(pending);
  };
  const report = (event, what, trusted = event.isTrusted) => {
    if (!trusted) { forged += 1; return; }
    noteClosed();
    flush();
    post(about(event, what));
  };
  const about = (event, what) => {
    const path = event.composedPath();
    for (const node of path) if (node instanceof ShadowRoot) watch(node);
    return { time: performance.timeOrigin + event.timeStamp, secret: isSecret(path[0]), ...what };
  };
  const at = (event) => ({ x: event.clientX, y: event.clientY });
  const listeners = [];
  const listen = (kind, take, options = { capture: true, passive: true }) => listeners.push([kind, take, options]);
  const listenToAll = () => { for (const [kind, take, options] of listeners) window.addEventListener(kind, take, options); };

  for (const [kind, down] of [["mousedown", true], ["mouseup", false]]) {
    listen(kind, (event) => {
      if (event.isTrusted) acting();
      const button = { kind: "button", button: event.button, down, count: event.detail, ...at(event) };
      report(event, button);
      const target = event.composedPath()[0];
      // Its list opens at once, and gets the release; one that comes all the same is of no account.
      if (down && event.isTrusted && target instanceof Element && isMenu(target)) report(event, { ...button, down: false });
    });
  }
  let pointer = null;
  const moved = (event) => {
    if (!event.isTrusted) { forged += 1; return; }
    if (opened !== null && isOpen(opened)) return;  // it is in the list
    pointer = { time: performance.timeOrigin + event.timeStamp, ...at(event) };
    move = about(event, { kind: "move", ...at(event) });
    moveTimer ??= setTimeout(flush, 30);
  };
  listen("mousemove", moved);
  listen("dragover", moved);
  listen("mouseout", (event) => { if (event.relatedTarget === null) report(event, { kind: "leave" }); });
  for (const kind of ["drop", "dragend"]) {  // instead of mouseup; a second one is of no account
    listen(kind, (event) => report(event, { kind: "button", button: 0, down: false, count: 1, ...at(event) }));
  }
  listen("wheel", (event) => report(event, {
    kind: "wheel", across: event.deltaX, along: event.deltaY, unit: event.deltaMode, ...at(event),
  }));

  // A character that comes without a key of its own was pasted, dictated or composed.
  let expected = null;
  const key = (event, down) => {
    if (!event.key) return;  // autofill says that a key was pressed, and not which
    if (event.isTrusted) acting();
    if (event.isComposing || ["Process", "Dead", "Unidentified", "AltGraph"].includes(event.key)) return;
    const command = event.ctrlKey || event.altKey || event.metaKey;
    if (down && event.isTrusted) expected = command ? null : event.key === "Enter" ? "\n" : event.key;
    report(event, { kind: "key", key: event.key, code: event.code, command, down });
  };
  listen("keydown", (event) => key(event, true));
  listen("keypress", (event) => { if (event.isTrusted) acting(); });
  listen("keyup", (event) => key(event, false));
  // Chromium does not mark the end of a composition as trusted, only what leads to it.
  let composed = null;
  listen("compositionupdate", (event) => { if (event.isTrusted) composed = event.data; });
  listen("compositionend", (event) => {
    report(event, { kind: "text", text: event.data }, composed !== null && event.data === composed);
    if (event.data === composed) composed = null;
  });
  listen("paste", (event) => {
    report(event, { kind: "text", text: event.isTrusted ? event.clipboardData.getData("text/plain") : "" });
  });
  listen("beforeinput", (event) => {
    if (event.inputType !== "insertText" || event.isComposing) return;
    if (event.data !== expected) report(event, { kind: "text", text: event.data || "" });
    if (event.isTrusted) expected = null;
  });
  listen("blur", (event) => {
    if (event.target === window && window === window.top) report(event, { kind: "blur" });
  }, undefined);

  // ---------------------------------------------------------------- values that no key or button of the page gave

  const dates = ["date", "time", "datetime-local", "month", "week"];
  const byBrowser = ["", "insertReplacementText", "historyUndo", "historyRedo", "deleteByCut"];
  const last = new WeakMap();
  const changed = new Set();
  const valueOf = (element) => element.matches("[type=checkbox], [type=radio]") ? String(element.checked)
    : typeof element.value === "string" ? element.value : "";
  const label = (element) => String(element.getAttribute("aria-label") || element.getAttribute("name") || element.id
    || element.getAttribute("placeholder") || element.localName).slice(0, 60);

  // What a page changes while it handles an event of the person, it will change again in a replay.
  let answering = null;
  const acting = () => {
    answering ??= setTimeout(() => {
      answering = null;
      for (const element of fields(document)) {
        last.set(element, valueOf(element));
        if (opened === null && isOpen(element)) watchList(element);
      }
    }, 0);
  };
  // The list of a <select> and the pickers are windows of their own: the page sees no key and no button of them.
  let opened = null, openedTimer = null, chose = false;
  const isOpen = (element) => element.isConnected && element.matches("select:open, input:open");
  const watchList = (element) => {
    opened = element;
    chose = false;
    openedTimer = setInterval(noteClosed, 40);
  };
  const noteClosed = () => {
    if (opened === null || isOpen(opened)) return;
    clearInterval(openedTimer);
    opened = null;
    const time = performance.timeOrigin + performance.now();
    if (!chose) post({ time, secret: false, kind: "choice", control: "none", place: 0, count: 0, value: "" });
  };
  const choice = (element) => {
    if (isMenu(element)) {
      const shown = Array.from(element.options).filter((option) => {
        return !option.matches(":disabled") && getComputedStyle(option).display !== "none";
      });
      return { control: "select", place: shown.indexOf(element.selectedOptions[0]), count: shown.length, value: "" };
    }
    const control = dates.includes(element.type) ? "date" : element.type === "color" ? "color" : "text";
    return { control, place: 0, count: 0, value: element.value };
  };
  const isMenu = (element) => element.matches("select") && !element.multiple && element.size <= 1;
  let pressed = null;
  const chosen = (event) => {
    const element = event.composedPath()[0];
    if (!(element instanceof Element) || !element.matches("input, select, textarea")) return;
    if (known.has(element)) values.set(element, element.value);
    if (!event.isTrusted) { forged += 1; return; }
    const before = last.get(element);
    last.set(element, valueOf(element));
    if (element.type === "file") changed.add(label(element));
    if (answering !== null || before === valueOf(element)) return;
    const picker = dates.includes(element.type) || element.type === "color";
    const menu = isMenu(element) && !(pressed instanceof HTMLOptionElement);
    const text = element.matches("textarea, input:not([type=checkbox], [type=radio], [type=range], [type=file])")
      && !picker && byBrowser.includes(event.inputType || "") && !(element.type === "number" && pressed === element);
    if (text && (!element.list || isSecret(element))) changed.add(label(element));
    else if (menu || picker || text) {
      chose = true;
      report(event, { kind: "choice", ...choice(element) });
    }
  };
  listen("mousedown", (event) => { if (event.isTrusted) pressed = event.composedPath()[0]; });
  listen("input", chosen);
  listen("change", chosen);

  // What the recorder asks for with each picture: where secrets may be seen, where the pointer is, and what changed
  // by itself.
  globalThis.saccadeLook = () => {
    const boxes = [];
    for (const element of fields(document)) {
      const value = valueOf(element), editable = !element.readOnly && !element.disabled && element.type !== "hidden";
      if (answering === null) {
        if (editable && last.has(element) && last.get(element) !== value) changed.add(label(element));
        last.set(element, value);
      }
      if (opened === null && isOpen(element)) watchList(element);
      if (!isSecret(element)) continue;
      if (element.value) values.set(element, element.value);
      const { left, top, width, height } = element.getBoundingClientRect();
      if (width > 0 && height > 0) boxes.push([left, top, width, height]);
    }
    const told = { boxes, pointer, open: opened !== null, forged, changed: Array.from(changed) };
    forged = 0;
    changed.clear();
    return told;
  };
  watch(document);
  listenToAll();
})();
