// Plays many MiniWoB++ episodes at once, each in a frame of one page.

window.startFrame = ([index, seed, mode]) => {
  const frame = frames[index];
  frame.Math.seedrandom(seed);
  frame.core.setDataMode(mode);
  frame.core.EPISODE_MAX_TIME = 3.6e6;
  frame.core.startEpisode = () => {};
  frame.core.startEpisodeReal();
};

// Per frame: what the page asks and shows, whether the episode is over and with which reward, and the expert's
// next action: none, with the problem, where the expert fails.
window.askExperts = tasks => tasks.map((task, index) => {
  const frame = frames[index];
  if (frame.WOB_DONE_GLOBAL) return { done: true, reward: frame.WOB_RAW_REWARD_GLOBAL };
  const sight = new Sight(frame);
  const answer = { done: false, goal: sight.goal, action: null, seen: seenIn(frame) };
  try {
    return { ...answer, action: EXPERTS[task](sight) };
  } catch (problem) {
    return { ...answer, problem: String(problem) };
  }
});

function seenIn(frame) {
  const rounded = numbers => numbers.map(number => Math.round(number * 10) / 10);
  const { chars, elements } = scanPage(frame, { x: 0, y: 0, w: 160, h: 210 });
  for (const e of elements) [e.box, e.point] = [rounded(e.box), rounded(e.point)];
  return { elements, chars: chars.map(([letter, ...at]) => [letter, ...rounded(at)]) };
}

// Until nothing moves, or the time in ms is over: two pictures after the last animation has ended.
window.framesSettled = async limit => {
  const picture = () => new Promise(requestAnimationFrame);
  const moving = () => Array.from(frames).some(frame => frame.jQuery && frame.jQuery.timers.length);
  const end = performance.now() + limit;
  do { await picture(); } while (moving() && performance.now() < end);
  await picture();
};
