import { createRunControl } from 'runfence';
import { spawn } from 'runfence/process';

const control = createRunControl();
const begun = await control.runs.begin({ sessionKey: 'chat-1' });
if (begun.status !== 'started') throw new Error(begun.status);
const { run } = begun;
// ---
run.complete();
await control.drain({ graceMs: 0 });
