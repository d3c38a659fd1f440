// The text that a person can read on a page, open shadow roots and fields included, as one string.
() => {
  const SKIPPED = new Set(["SCRIPT", "STYLE", "NOSCRIPT", "TEMPLATE", "HEAD"]);
  const FIELDS = new Set(["INPUT", "SELECT", "TEXTAREA"]);
  const VALUELESS = new Set(["password", "hidden", "checkbox", "radio", "range", "color", "file", "image"]);
  function fieldText(node) {
    if (node.tagName === "SELECT") return [...node.selectedOptions].map((option) => option.label).join("\n");
    return VALUELESS.has(node.type) ? "" : node.value || node.placeholder;
  }
  function children(node) {
    if (node.shadowRoot) return node.shadowRoot.childNodes;
    const assigned = node.tagName === "SLOT" ? node.assignedNodes() : [];
    return assigned.length ? assigned : node.childNodes;
  }
  const parts = [];
  const waiting = document.body ? [[document.body, true]] : []; // no recursion: pages may be nested without end
  while (waiting.length) {
    const next = waiting.pop();
    if (typeof next === "string") {
      parts.push(next);
      continue;
    }
    const [node, visible] = next;
    if (node.nodeType === Node.TEXT_NODE && visible) parts.push(node.data);
    if (node.nodeType !== Node.ELEMENT_NODE || SKIPPED.has(node.tagName)) continue;
    const style = getComputedStyle(node);
    if (style.display === "none") continue;
    const shown = style.visibility === "visible";
    const field = FIELDS.has(node.tagName);
    const apart = field || node.tagName === "BR" || !(style.display.startsWith("inline") || style.display === "contents");
    if (apart) {
      parts.push("\n");
      waiting.push("\n");
    }
    if (field) parts.push(shown ? fieldText(node) : "");
    else waiting.push(...[...children(node)].reverse().map((child) => [child, shown]));
  }
  return parts.join("");
}
