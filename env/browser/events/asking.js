// Tells what a page asks a person for, outside of the page: permissions, printing. The page cannot reach `tell`.
// A page that asks in a loop is told of once a second, or what it tells would hold up the step.
name => {
  const tell = window[name];
  delete window[name];
  if (!tell) return;
  const clock = {now: performance.now.bind(performance)};
  const watch = (owner, method, what) => {
    const real = owner?.[method];
    if (typeof real !== 'function') return;
    let told = -Infinity;
    Object.defineProperty(owner, method, {configurable: true, writable: true, value: {[method](...given) {
      const now = clock.now();
      if (now - told >= 1000) {
        told = now;
        tell(what).catch(() => {});
      }
      return real.apply(this, given);
    }}[method]});
  };
  watch(window, 'print', 'print');
  watch(window.Notification, 'requestPermission', 'notifications');
  watch(window.Geolocation?.prototype, 'getCurrentPosition', 'geolocation');
  watch(window.Geolocation?.prototype, 'watchPosition', 'geolocation');
  watch(window.MediaDevices?.prototype, 'getUserMedia', 'camera or microphone');
  watch(window.MediaDevices?.prototype, 'getDisplayMedia', 'screen');
  watch(window.Clipboard?.prototype, 'read', 'clipboard');
  watch(window.Clipboard?.prototype, 'readText', 'clipboard');
  for (const picker of ['showOpenFilePicker', 'showSaveFilePicker', 'showDirectoryPicker']) watch(window, picker, 'files');
}
