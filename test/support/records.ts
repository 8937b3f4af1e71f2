import type { Backend, LockHolder, Snapshot, StoredRun } from 'runfence/backend';

/** What a backend has of a session, asked by nobody of it. */
export async function recordOf(backend: Backend, sessionKey = 's'): Promise<Snapshot> {
  return backend.readSession({ sessionKey, nodeId: 'nobody', watch: false });
}

/** The live runs that a backend has of a session. */
export async function runsIn(backend: Backend, sessionKey = 's'): Promise<readonly StoredRun[]> {
  return (await recordOf(backend, sessionKey)).runs;
}

/** What a backend knows of a run, live or retained. */
export async function storedRun(backend: Backend, runId = 'r'): Promise<StoredRun | undefined> {
  return backend.readRun({ runId, sessionKey: undefined, nodeId: 'nobody', watch: false });
}

/** Who holds a session's lock, as a backend has it. */
export async function holderIn(backend: Backend, sessionKey = 's'): Promise<LockHolder | undefined> {
  return (await recordOf(backend, sessionKey)).holder;
}
