/** What proper-lockfile adds to the process. Version 3 has no types of its own. */
declare module 'signal-exit' {
  const signalExit: { unload(): void };
  export = signalExit;
}
