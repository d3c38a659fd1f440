// Tells what a page asks a person for, outside of the page: permissions, printing. The page cannot reach `tell`.
name => {
  const tell = window[name];
  delete window[name];
  if (!tell) return;
  const watch = (owner, method, what) => {
    const real = owner?.[method];
    if (typeof real !== 'function') return;
    Object.defineProperty(owner, method, {configurable: true, writable: true, value: {[method](...given) {
      tell(what).catch(() => {});
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
