// Where secrets can be read on a page. It runs in a world of its own, where no script of the page can look or reach.
(() => {
  if (globalThis.saccadeSecrets) return;
  const typed = new WeakSet();
  let typing = false;
  window.addEventListener("input", (event) => { if (typing) typed.add(event.composedPath()[0]); }, true);

  const fold = (text) => text.normalize("NFKC").toLowerCase();
  const rootsIn = function* (root) {
    yield root;
    for (const element of root.querySelectorAll("*")) if (element.shadowRoot) yield* rootsIn(element.shadowRoot);
  };
  const hasDots = (element) =>
    element.type === "password" || !["", "none", undefined].includes(getComputedStyle(element).webkitTextSecurity);
  const inside = (element) => {  // without the border, so that the field can still be seen
    const { left, top } = element.getBoundingClientRect();
    return [left + element.clientLeft, top + element.clientTop, element.clientWidth, element.clientHeight];
  };
  const fields = function* (root, texts) {
    for (const element of root.querySelectorAll("input, textarea, [contenteditable]")) {
      const text = element.value ?? element.textContent;
      if (!text || hasDots(element)) continue;
      if (typed.has(element) || texts.some((each) => fold(text).includes(each))) yield inside(element);
    }
  };
  const passages = function* (root, texts) {
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    const pieces = [];
    let all = "";
    while (walker.nextNode()) {
      pieces.push([all.length, walker.currentNode]);
      all += walker.currentNode.data.toLowerCase();
    }
    const at = (index) => {
      const [start, node] = pieces.findLast(([start]) => start <= index);
      return [node, Math.min(index - start, node.data.length)];
    };
    for (const text of texts) {
      for (let index = all.indexOf(text); index >= 0; index = all.indexOf(text, index + 1)) {
        const range = document.createRange();
        range.setStart(...at(index));
        const [node, last] = at(index + text.length - 1);
        range.setEnd(node, Math.min(last + 1, node.data.length));
        for (const { left, top, width, height } of range.getClientRects()) yield [left, top, width, height];
      }
    }
  };
  globalThis.saccadeSecrets = {
    typing: (on) => { typing = on; },
    boxes: (secrets) => {
      const texts = secrets.map(fold);
      const found = [];
      for (const root of rootsIn(document)) found.push(...fields(root, texts), ...passages(root, texts));
      return found.filter(([, , width, height]) => width > 0 && height > 0);
    },
  };
})();
