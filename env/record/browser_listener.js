// Reports what a person does on a page, in every frame, before the page's own handlers.
(() => {
  if (window.__saccadeSecretBoxes) return;
  const send = window.__saccadeReport;
  const secretName = /passw|passcode|pwd|secret|otp/i;
  const hidden = new Set(["current-password", "new-password", "one-time-code", "cc-number", "cc-csc"]);
  const known = new WeakSet();

  const isSecret = (element) => {
    if (!(element instanceof Element)) return false;
    const words = (element.getAttribute("autocomplete") || "").toLowerCase().split(/\s+/);
    const isField = element.matches("input, textarea, [contenteditable]");
    const named = isField && secretName.test(`${element.getAttribute("name")} ${element.id}`);
    if (element.type === "password" || named || words.some((word) => hidden.has(word))) known.add(element);
    return known.has(element);
  };
  const fields = function* (root) {
    for (const element of root.querySelectorAll("*")) {
      if (isSecret(element)) yield element;
      if (element.shadowRoot) yield* fields(element.shadowRoot);
    }
  };
  window.__saccadeSecretBoxes = () => Array.from(fields(document), (element) => {
    const box = element.getBoundingClientRect();
    return [box.left, box.top, box.width, box.height];
  }).filter(([, , width, height]) => width > 0 && height > 0);

  const report = (event, what, trusted = event.isTrusted) => {
    if (!trusted) return;
    const time = performance.timeOrigin + event.timeStamp;
    send({ time, secret: isSecret(event.composedPath()[0]), ...what });
  };
  const listen = (kind, take) => window.addEventListener(kind, take, { capture: true, passive: true });
  const at = (event) => ({ x: event.clientX, y: event.clientY });

  for (const [kind, down] of [["mousedown", true], ["mouseup", false]]) {
    listen(kind, (event) => report(event, { kind: "button", button: event.button, down, ...at(event) }));
  }
  listen("mousemove", (event) => { if (event.buttons) report(event, { kind: "move", ...at(event) }); });
  listen("dragover", (event) => report(event, { kind: "move", ...at(event) }));
  for (const kind of ["drop", "dragend"]) {  // instead of mouseup; a second one is of no account
    listen(kind, (event) => report(event, { kind: "button", button: 0, down: false, ...at(event) }));
  }
  listen("wheel", (event) => report(event, {
    kind: "wheel", across: event.deltaX, along: event.deltaY, unit: event.deltaMode, ...at(event),
  }));

  // A character that comes without a key of its own was pasted, dictated or composed.
  let expected = null;
  const key = (event, down) => {
    if (event.isComposing || ["Process", "Dead", "Unidentified", "AltGraph"].includes(event.key)) return;
    const command = event.ctrlKey || event.altKey || event.metaKey;
    if (down) expected = command ? null : event.key === "Enter" ? "\n" : event.key;
    report(event, { kind: "key", key: event.key, code: event.code, command, down });
  };
  listen("keydown", (event) => key(event, true));
  listen("keyup", (event) => key(event, false));
  // Chromium does not mark the end of a composition as trusted, only what leads to it.
  let composing = false;
  listen("compositionupdate", (event) => { composing ||= event.isTrusted; });
  listen("compositionend", (event) => {
    report(event, { kind: "text", text: event.data }, composing);
    composing = false;
  });
  listen("paste", (event) => report(event, { kind: "text", text: event.clipboardData.getData("text/plain") }));
  listen("beforeinput", (event) => {
    if (event.inputType !== "insertText" || event.isComposing) return;
    if (event.data !== expected) report(event, { kind: "text", text: event.data || "" });
    expected = null;
  });
  window.addEventListener("blur", (event) => {
    if (event.target === window && window === window.top) report(event, { kind: "blur" });
  });
})();
