// What `run_checks` starts: a tree of processes as one meets them. Each says its name and pid, and lasts a minute at most.
import { spawn } from 'node:child_process';

/** Stays in the group of its parent, and ends when it is asked to. */
const LINTER = 'echo "linter $$"; exec sleep 60';
/** Does not end when it is asked to. */
const COMPILER = 'trap "" TERM; echo "compiler $$"; i=0; while [ $i -lt 1200 ]; do sleep 0.05; i=$((i + 1)); done';
/** Makes a session and a group of its own, as daemons do. */
const WATCHER = 'echo "watcher $$"; exec sleep 60';

console.log(`checks ${process.pid}`);
spawn('sh', ['-c', LINTER], { stdio: 'inherit' });
spawn('sh', ['-c', COMPILER], { stdio: 'inherit' });
spawn('sh', ['-c', WATCHER], { stdio: 'inherit', detached: true });
