/**
 * Can the demo fail? Takes one safety out of a copy of the server at a time, runs the demo on it, and expects that a
 * check breaks. Run it with `npm run sabotage`; it takes some minutes.
 */
import { spawn } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

interface Sabotage {
  readonly name: string;
  readonly file: string;
  readonly replace: readonly (readonly [from: string, to: string])[];
}

const sabotages: readonly Sabotage[] = [
  {
    name: 'nothing',
    file: 'agent.ts',
    replace: [],
  },
  {
    name: 'the sink is not fenced',
    file: 'agent.ts',
    replace: [['run.fence(write)', 'write']],
  },
  {
    name: 'the model is neither fenced nor interrupted',
    file: 'agent.ts',
    replace: [
      ['run.fence(stream)', 'stream'],
      [', { signal: run.signal });', ');'],
    ],
  },
  {
    name: 'the tools are not gated',
    file: 'agent.ts',
    replace: [['run.gate(tool.execute, { name })', 'tool.execute']],
  },
  {
    name: "a tool's write bypasses commit and the token check",
    file: 'agent.ts',
    replace: [
      [
        "save({ id, role: 'report', text: report, state: 'complete' });",
        "Promise.resolve(transcript.save(run.sessionKey, Number.MAX_SAFE_INTEGER, { id, role: 'report', text: report, state: '' }));",
      ],
    ],
  },
  {
    name: 'the processes of a tool do not die with the run',
    file: 'agent.ts',
    replace: [['spawn(run, command, args, options)', "spawn(run, command, args, { ...options, atAbort: 'detach' })"]],
  },
  {
    name: 'a stop saves nothing',
    file: 'agent.ts',
    replace: [['run.draft(', '((save) => ({ commit: () => run.commit((it) => save({ ...it, how: "whole" })) }))(']],
  },
  {
    name: 'a second message runs beside the first',
    file: 'server.ts',
    replace: [['timeoutMs: 120_000', "whenBusy: 'concurrent'"]],
  },
  {
    name: 'chats are not kept apart by user',
    file: 'server.ts',
    replace: [
      ['[userId, ', "['alice', "],
      ['{ requester: { userId } }', '{}'],
    ],
  },
  {
    name: 'a stop is only recorded',
    file: 'server.ts',
    replace: [['control.abort({ sessionKey }', "control.abort({ sessionKey: 'nobody' }"]],
  },
  {
    name: 'closing does not drain',
    file: 'server.ts',
    replace: [['await control.drain({ graceMs });', '']],
  },
];

const quickstart = fileURLToPath(new URL('..', import.meta.url));
const missed: string[] = [];

for (const { name, file, replace } of sabotages) {
  // Beside it: the demo imports from the example next door.
  const copy = await mkdtemp(`${quickstart}../.sabotage-`);
  try {
    for (const entry of await readdir(quickstart)) {
      if (/\.ts$|^demo$|^package\.json$/.test(entry))
        await cp(quickstart + entry, `${copy}/${entry}`, { recursive: true });
    }
    let source = await readFile(`${copy}/${file}`, 'utf8');
    for (const [from, to] of replace) {
      if (!source.includes(from)) throw new Error(`${file} does not contain ${from}`);
      source = source.replaceAll(from, to);
    }
    await writeFile(`${copy}/${file}`, source);
    const { code, output } = await run(`${copy}/demo.ts`);
    const broken = output.split('did not hold:\n')[1]; // a crash is no check that breaks
    const noticed = replace.length === 0 ? code === 0 : code === 1 && broken !== undefined;
    if (!noticed) missed.push(name);
    console.log(`${noticed ? 'ok  ' : 'MISS'}  ${name}: exit ${code}`);
    if (code !== 0) console.log((broken ?? output.slice(-1_000)).trimEnd().replace(/^ */gm, '        '));
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}
if (missed.length > 0) {
  console.log(`Not as expected: ${missed.join('; ')}`);
  process.exitCode = 1;
}

async function run(demo: string): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [...process.execArgv, demo], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const collect = (text: string): void => {
    output += text;
  };
  child.stdout.setEncoding('utf8').on('data', collect);
  child.stderr.setEncoding('utf8').on('data', collect);
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, output };
}
