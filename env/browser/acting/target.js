// What an element of a page is, for the guard. It runs in a world of its own, where no script of the page can reach it.
(mode, node, x, y) => {
  const MOST = 300;
  const ROLES = {A: "link", BUTTON: "button", SUMMARY: "button", TEXTAREA: "textbox", SELECT: "combobox", OPTION: "option"};
  const INPUTS = {button: "button", submit: "button", reset: "button", image: "button", checkbox: "checkbox",
    radio: "radio", range: "slider", number: "spinbutton", search: "searchbox", file: "button", color: "combobox"};
  const NOT_TEXT = new Set(["button", "submit", "reset", "image", "checkbox", "radio", "range", "file", "color", "hidden"]);
  const ACTIVE = new Set(["button", "link", "menuitem", "menuitemcheckbox", "menuitemradio", "option", "tab", "checkbox",
    "radio", "switch", "treeitem", "slider", "spinbutton", "combobox", "textbox", "searchbox", "gridcell"]);
  const TELLS_NOTHING = new Set(["CANVAS", "EMBED", "OBJECT", "APPLET", "IFRAME", "FRAME", "FENCEDFRAME", "PORTAL"]);
  const FOCUSABLE = "a, area, button, input, select, textarea, summary, audio, video, body, html, [tabindex], [contenteditable]";
  const DIALOG = "dialog, [role=dialog], [role=alertdialog], [aria-modal=true], [class*=modal i], [class*=dialog i], [class*=popup i]";

  const clean = (text) => (text ?? "").replace(/\s+/g, " ").trim().slice(0, MOST);
  const up = (element) => element.parentElement ?? element.getRootNode().host ?? null;
  const closest = (element, matches) => {
    for (let each = element; each; each = up(each)) if (matches(each)) return each;
    return null;
  };
  const seen = (element) => {
    const text = element.innerText ?? element.textContent;
    const pictures = [...element.querySelectorAll("img[alt], svg title, [aria-label]")].slice(0, 8);
    return clean([text, ...pictures.map((each) => each.getAttribute("alt") ?? each.getAttribute("aria-label") ?? each.textContent)]
      .join(" "));
  };
  const roleOf = (element) => {
    const given = element.getAttribute("role")?.trim().split(/\s+/)[0].toLowerCase();
    if (given && given !== "presentation" && given !== "none") return given;
    if (element.localName === "input") return INPUTS[element.type] ?? "textbox";
    if (element.localName === "a" && !element.hasAttribute("href") && !element.hasAttributeNS("http://www.w3.org/1999/xlink", "href")) return "";
    if (element.localName === "select" && (element.multiple || element.size > 1)) return "listbox";
    return ROLES[element.tagName.toUpperCase()] ?? (element.isContentEditable ? "textbox" : "");
  };
  const labels = (element) => [...(element.labels ?? [])].map((each) => seen(each)).join(" ");
  const referred = (element, attribute) => (element.getAttribute(attribute) ?? "").split(/\s+/).filter(Boolean)
    .map((id) => element.getRootNode().getElementById?.(id)).filter(Boolean).map((each) => seen(each)).join(" ");
  const nameOf = (element) => clean([
    referred(element, "aria-labelledby"), element.getAttribute("aria-label"), labels(element),
    ["button", "submit", "reset"].includes(element.type) && element.localName === "input" ? element.value : "",
    element.getAttribute("alt"), element.getAttribute("placeholder"), element.getAttribute("aria-placeholder"),
    element.getAttribute("title"), element.localName === "input" && element.type === "submit" && !element.value ? "Submit" : "",
  ].filter(Boolean).join(" "));
  const code = (element) => element && ["id", "class", "name", "type", "data-testid", "data-icon", "data-action", "autocomplete", "href"]
    .map((name) => (name === "href" && element.localName !== "use" ? "" : element.getAttribute(name) ?? "")).join(" ");
  const isActive = (element) => ACTIVE.has(roleOf(element)) || element.matches("button, summary, label, [onclick], [contenteditable]");
  const pointed = (element) => {
    if (getComputedStyle(element).cursor !== "pointer") return null;
    let top = element;
    for (let each = up(element); each && getComputedStyle(each).cursor === "pointer"; each = up(each)) top = each;
    return seen(top).length <= 80 ? top : element;
  };
  const takesText = (element) =>
    element.isContentEditable || (!element.readOnly && !element.disabled
      && (element.localName === "textarea" || (element.localName === "input" && !NOT_TEXT.has(element.type))));
  const postedTo = (form, button) => {
    const method = (button?.getAttribute("formmethod") ?? form.getAttribute("method") ?? "get").toLowerCase();
    const action = button?.getAttribute("formaction") ?? form.getAttribute("action") ?? "";
    try {
      const address = new URL(action || form.ownerDocument.URL, form.baseURI).href;
      return method === "post" || /^mailto:/i.test(address) ? address : "";
    } catch { return ""; }
  };
  const isSubmit = (element) => Boolean(element.form)
    && ((element.localName === "button" && element.type === "submit") || ["submit", "image"].includes(element.type));
  const around = (element, form) => {
    const dialog = closest(element, (each) => each.matches(DIALOG));
    if (dialog) return seen(dialog);
    if (!form) return "";
    const heads = [...form.querySelectorAll("h1, h2, h3, h4, legend")].slice(0, 3).map(seen);
    return clean([form.getAttribute("aria-label"), ...heads].filter(Boolean).join(" "));
  };

  const describe = (hit, focus) => {
    if (TELLS_NOTHING.has(hit.tagName.toUpperCase())) return {known: false, tag: hit.localName};
    let own = (focus ? null : closest(hit, isActive)) ?? (focus ? hit : pointed(hit)) ?? hit;
    if (own.localName === "label" && own.control) own = own.control;
    const role = roleOf(own), editable = takesText(own), active = isActive(own) || pointed(own) !== null;
    const field = own.localName === "select" || editable || own.localName === "input";
    const form = own.form ?? closest(own, (each) => each.localName === "form");
    const button = editable && form
      ? [...form.elements].find((each) => isSubmit(each) && !each.disabled) : isSubmit(own) ? own : null;
    const style = getComputedStyle(own), box = own.getBoundingClientRect();
    const whole = active || own === hit ? own : hit;
    const shown = field ? "" : active || whole.textContent.length < MOST ? seen(whole) : "";
    const name = nameOf(own);
    const href = own.localName === "a" || own.localName === "area" ? String(own.href?.baseVal ?? own.href ?? "") : "";
    const complete = own.getAttribute("autocomplete") ?? "";
    return {
      known: true, role, name: name || shown, shown: name && shown !== name ? shown : "",
      around: around(own, form), active, editable,
      lines: own.localName === "textarea" || (own.isContentEditable && editable),
      hides: own.type === "password" || !["", "none", undefined].includes(style.webkitTextSecurity)
        || (editable && /(^|\s)(cc-|one-time-code|current-password|new-password)/.test(complete)),
      href: /^javascript:/i.test(href) ? "" : href.slice(0, 2000),
      sends_to: form && (button || editable) ? postedTo(form, button).slice(0, 2000) : "",
      submits: editable && button ? clean(`${nameOf(button)} ${seen(button)}`) || clean(code(button)) || "submit" : "",
      submitting: isSubmit(own),
      origin: (own.ownerDocument.defaultView ?? window).location.origin,
      hints: clean([code(own), code(own.querySelector?.("svg, i, img, use")), own === hit ? "" : code(hit)].filter(Boolean).join(" ")),
      box: [Math.round(box.left), Math.round(box.top), Math.round(box.width), Math.round(box.height)],
    };
  };

  // A click may go to a frame, or into a shadow tree that is closed, which only the browser itself can look into.
  const isHidden = (hit) => {
    if (["iframe", "frame", "fencedframe"].includes(hit.localName)) return true;
    if (hit.localName.includes("-") && !hit.shadowRoot) return true;
    if (closest(hit, isActive) || hit.matches("html, body, img, canvas, video, svg, svg *")) return false;
    return ![...hit.childNodes].some((each) => each.nodeType === Node.TEXT_NODE && each.data.trim());
  };

  if (mode === "scroll") return {scroll: [Math.round(scrollX), Math.round(scrollY)]};
  if (mode === "point") {
    let hit = document.elementFromPoint(x, y);
    for (let inner = hit?.shadowRoot?.elementFromPoint(x, y); inner && inner !== hit;
      inner = hit.shadowRoot?.elementFromPoint(x, y)) hit = inner;
    if (!hit) return {known: true, role: "document", name: "", box: null};
    return isHidden(hit) ? {known: false, scroll: [Math.round(scrollX), Math.round(scrollY)]} : describe(hit, false);
  }
  if (mode === "node") {
    const hit = node.nodeType === Node.ELEMENT_NODE ? node : node.parentElement ?? node.getRootNode().host;
    return hit ? describe(hit, false) : null;
  }
  let inside = document, element = document.activeElement, shift = true;
  while (element) {
    if (element.shadowRoot?.activeElement) element = element.shadowRoot.activeElement;
    else if (element.contentDocument) { inside = element.contentDocument; element = inside.activeElement; shift = false; }
    else break;
  }
  if (!element) return {known: true, role: "document", name: "", box: null};
  if (!element.matches(FOCUSABLE) && !element.isContentEditable && element.ownerDocument.designMode !== "on")
    return {known: false, tag: element.localName};  // its focus is in a shadow tree that is closed
  const found = describe(element, true);
  const whole = element === inside.body || element === inside.documentElement;
  if (whole && inside.designMode === "on") Object.assign(found, {editable: true, lines: true, role: "textbox"});
  if (whole && !found.editable) return {known: true, role: "document", name: "", box: null};
  if (!shift) found.box = null;
  return found;
}
