// Starts a MiniWoB++ episode. Playwright evaluates this function with [seed, mode, limit in ms].
//
// The page shows a START cover when an episode ends. A click on it (the second of a double click, say) would
// start an unseeded episode and clear the reward, so the page cannot start again. What the page repeats (a new
// price every tenth of a second) starts after the first screenshot: else that screenshot would show how fast
// the machine is, and not which seed it was. A blinking caret would show it too, so it does not blink.
([seed, mode, limit]) => {
  const [repeat, end] = [window.setInterval, window.clearInterval];
  const waiting = new Map(), started = new Map();
  window.setInterval = (...what) => { waiting.set(-waiting.size - 1, what); return -waiting.size; };
  window.clearInterval = id => { waiting.set(id, null); end(started.get(id) ?? id); };
  core.saccadeObserved = () => {
    window.setInterval = repeat;
    for (const [id, what] of waiting) if (what) started.set(id, repeat(...what));
    core.saccadeObserved = () => {};
  };
  const still = new CSSStyleSheet();
  still.replaceSync('* { caret-animation: manual !important }');
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, still];
  Math.seedrandom(seed);
  core.setDataMode(mode);
  core.EPISODE_MAX_TIME = limit;
  core.startEpisodeReal();
  core.startEpisode = () => {};
}
