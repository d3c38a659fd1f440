// Waits until the document is stable; see page_settle.py. After a change the quiet time is doubled: timers of
// 13-16 ms (jQuery) may just miss one window. Shadow roots and frames of the same origin belong to the document.
// The result has the state, and what the document cannot tell about: "picture" where something draws without it.
// loading: whether a document that is still loading counts as changing.
([quietMs, budgetMs, loading]) => new Promise(done => {
  const begun = performance.now();
  let changed = false, quietSince = begun, over = false, roots = [], blind = '';
  const scrolled = () => { changed = true; };
  const observer = new MutationObserver(() => { changed = true; });

  const seen = element => {
    const box = element.getBoundingClientRect(), view = element.ownerDocument.defaultView;
    return box.width > 0 && box.height > 0 && box.right > 0 && box.bottom > 0
      && box.left < view.innerWidth && box.top < view.innerHeight;
  };
  // A custom element may have a shadow root that it shows to no one.
  const draws = 'canvas, video, embed, object, iframe, frame, img[src*=".gif" i]';
  const watchAll = () => {
    const found = [document], closed = [];
    for (const root of found) {
      for (const element of root.querySelectorAll('*')) {
        if (element.shadowRoot) found.push(element.shadowRoot);
        else if (element.localName.includes('-') && customElements.get(element.localName)) closed.push(element);
      }
      for (const element of root.querySelectorAll('iframe, frame')) {
        if (element.contentDocument) found.push(element.contentDocument);
      }
    }
    const drawing = found.flatMap(root => [...root.querySelectorAll(draws)]).filter(each => !each.contentDocument);
    blind = document.contentType === 'application/pdf' ? 'pdf' : closed.length || drawing.some(seen) ? 'picture' : '';
    for (const root of found.filter(each => !roots.includes(each))) {
      observer.observe(root, {subtree: true, childList: true, attributes: true, characterData: true});
      root.addEventListener('scroll', scrolled, {capture: true, passive: true});
    }
    roots = found;
  };
  const finish = quiet => {
    if (over) return;
    over = true;
    observer.disconnect();
    for (const root of roots) root.removeEventListener('scroll', scrolled, {capture: true});
    done([!quiet ? 'changing' : suggests() ? 'suggesting' : 'stable', blind]);
  };
  const suggests = () => {
    let field = document.activeElement;
    while (field && field.shadowRoot && field.shadowRoot.activeElement) field = field.shadowRoot.activeElement;
    return field && field.matches && field.matches(
      '[role=combobox],[aria-autocomplete],[aria-haspopup=listbox],[autocomplete=off],[type=search]');
  };
  const animates = () => roots.some(root => root.getAnimations().some(animation => {
    if (animation.playState !== 'running' || !animation.effect) return false;
    return Number.isFinite(animation.effect.getComputedTiming().endTime);
  }));
  let wanted = quietMs;
  const frame = () => {
    const now = performance.now();
    if (changed || loading && document.readyState !== 'complete' || window.closed || animates()) {
      wanted = Math.max(wanted, 2 * quietMs);
      quietSince = now;
    }
    if (changed) watchAll();
    changed = false;
    if (now - quietSince >= wanted) finish(true);
    else if (now - begun >= budgetMs) finish(false);
    else nextFrame();
  };
  // Timers that are due run before the check, however busy the machine is. A page behind another gets no
  // frames, so a timer checks it.
  const nextFrame = () => {
    let called = false;
    const once = () => { if (!called) { called = true; frame(); } };
    setTimeout(() => requestAnimationFrame(once), 0);
    setTimeout(once, 100);
  };
  watchAll();
  nextFrame();
  setTimeout(() => finish(false), budgetMs + 100);
})
