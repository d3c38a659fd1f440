// Waits until the document is stable; see page_settle.py. After a change the quiet time is doubled: timers of
// 13-16 ms (jQuery) may just miss one window.
([quietMs, budgetMs]) => new Promise(done => {
  const begun = performance.now();
  let changed = false, quietSince = begun, over = false;
  const observer = new MutationObserver(() => { changed = true; });
  const scrolled = () => { changed = true; };
  observer.observe(document, {subtree: true, childList: true, attributes: true, characterData: true});
  document.addEventListener('scroll', scrolled, {capture: true, passive: true});
  const finish = quiet => {
    if (over) return;
    over = true;
    observer.disconnect();
    document.removeEventListener('scroll', scrolled, {capture: true});
    done(!quiet ? 'changing' : suggests() ? 'suggesting' : 'stable');
  };
  const suggests = () => {
    const field = document.activeElement;
    return field && field.matches && field.matches(
      '[role=combobox],[aria-autocomplete],[aria-haspopup=listbox],[autocomplete=off],[type=search]');
  };
  const animates = () => document.getAnimations().some(animation => {
    if (animation.playState !== 'running' || !animation.effect) return false;
    return Number.isFinite(animation.effect.getComputedTiming().endTime);
  });
  let wanted = quietMs;
  const frame = () => {
    const now = performance.now();
    if (changed || document.readyState !== 'complete' || window.closed || animates()) {
      wanted = Math.max(wanted, 2 * quietMs);
      quietSince = now;
    }
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
  nextFrame();
  setTimeout(() => finish(false), budgetMs + 100);
})
