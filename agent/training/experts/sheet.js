// Plays many MiniWoB++ episodes at once, each in a frame of one page.

window.startFrame = ([index, seed, mode]) => {
  const frame = frames[index];
  frame.Math.seedrandom(seed);
  frame.core.setDataMode(mode);
  frame.core.EPISODE_MAX_TIME = 3.6e6;
  frame.core.startEpisode = () => {};
  frame.core.startEpisodeReal();
};

// Per frame: what the page asks, whether the episode is over and with which reward, and the expert's next action.
window.askExperts = tasks => tasks.map((task, index) => {
  const frame = frames[index];
  if (frame.WOB_DONE_GLOBAL) return { done: true, reward: frame.WOB_RAW_REWARD_GLOBAL };
  const sight = new Sight(frame);
  return { done: false, goal: sight.goal, action: EXPERTS[task](sight) };
});

// Until nothing moves, or the time in ms is over: two pictures after the last animation has ended.
window.framesSettled = async limit => {
  const picture = () => new Promise(requestAnimationFrame);
  const moving = () => Array.from(frames).some(frame => frame.jQuery && frame.jQuery.timers.length);
  const end = performance.now() + limit;
  do { await picture(); } while (moving() && performance.now() < end);
  await picture();
};
