// The form control of this document whose popup is open; else the element that has the focus, which may have it
// in a closed shadow root.
(() => {
  const open = element => {
    try { return element.matches(':open'); } catch { return false; }
  };
  const find = root => {
    for (const element of root.querySelectorAll('*')) {
      if (['select', 'input'].includes(element.localName) && open(element)) return element;
      const inside = element.shadowRoot && find(element.shadowRoot);
      if (inside) return inside;
    }
    return null;
  };
  let focused = document.activeElement;
  while (focused?.shadowRoot?.activeElement) focused = focused.shadowRoot.activeElement;
  return find(document) || (focused === document.body ? null : focused);
})()
