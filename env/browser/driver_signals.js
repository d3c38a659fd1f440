// Loaded into Playwright's driver: a signal for the whole terminal or group would end it, and its browser, before the
// run has released what it holds and written its end. The driver ends when its owner closes the pipe between them.
for (const name of ["SIGHUP", "SIGINT", "SIGTERM"]) process.on(name, () => {});
