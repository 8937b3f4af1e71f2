import { randomUUID } from 'node:crypto';
import { readFile, readlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { threadId } from 'node:worker_threads';
import { codeOf, ifThere } from './disk-errors.js';

/** Which process it is, so that another one on this host can prove it dead. */
export interface Identity {
  readonly host: string;
  readonly pid: number;
  readonly threadId: number;
  /** When the process started, in the kernel's ticks since boot; with the pid it names one process for ever. Linux only. */
  readonly startTime: string | undefined;
  /** Linux only. */
  readonly bootId: string | undefined;
  /** Linux only: two containers may both have a pid 1. */
  readonly pidNamespace: string | undefined;
  /** For how long in ms its heartbeat may stand still: its own value, whatever the others were given. */
  readonly staleMs: number | undefined;
}

interface ProcessState {
  readonly startTime: string;
  readonly isZombie: boolean;
}

export async function ownIdentity(staleMs: number): Promise<Identity> {
  const isLinux = process.platform === 'linux';
  return {
    host: hostname(),
    pid: process.pid,
    threadId,
    startTime: isLinux ? (await processState(process.pid))?.startTime : undefined,
    bootId: isLinux ? (await ifThere(() => readFile('/proc/sys/kernel/random/boot_id', 'utf8')))?.trim() : undefined,
    pidNamespace: isLinux ? await ifThere(() => readlink('/proc/self/ns/pid')) : undefined,
    staleMs,
  };
}

/**
 * Whether a process is proven dead by what this host knows. False proves nothing: it may be alive, or of another host,
 * boot or pid namespace, or a thread of a live process that was terminated.
 */
export async function isProvenDead(other: Identity, own: Identity): Promise<boolean> {
  if (other.host !== own.host || other.bootId !== own.bootId || other.pidNamespace !== own.pidNamespace) return false;
  if (process.platform !== 'linux') return process.platform === 'darwin' && !hasProcess(other.pid);
  if (other.startTime === undefined || own.bootId === undefined || own.pidNamespace === undefined) return false;
  const state = await processState(other.pid);
  // /proc may hide the processes of other users (hidepid): only the kernel's own answer proves absence.
  if (state === undefined) return !hasProcess(other.pid);
  return state.isZombie || state.startTime !== other.startTime;
}

/** `undefined` if nothing can be read of it. */
async function processState(pid: number): Promise<ProcessState | undefined> {
  let stat: string;
  try {
    stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // The program's name may hold spaces and brackets: what follows the last bracket is in fields.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state = '', startTime = ''] = [fields[0], fields[19]];
  return { startTime, isZombie: state === 'Z' || state === 'X' };
}

function hasProcess(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) !== 'ESRCH';
  }
}

/** Throws if it is no identity. */
export function checkIdentity(value: unknown): Identity {
  const { host, pid, threadId: thread, startTime, bootId, pidNamespace, staleMs } = value as Partial<Identity>;
  const isNamed = typeof host === 'string' && Number.isSafeInteger(pid) && (pid ?? 0) > 0;
  const isText = [startTime, bootId, pidNamespace].every((one) => one === undefined || typeof one === 'string');
  const isLease = staleMs === undefined || (Number.isFinite(staleMs) && staleMs > 0);
  if (!isNamed || !isText || !isLease || !Number.isSafeInteger(thread)) throw new TypeError('it names no process');
  return value as Identity;
}

/** A name of a heartbeat, as a pattern: nothing else is ever made a path of. */
export const BEAT_NAME = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}';

const WHOLE_BEAT_NAME = new RegExp(`^${BEAT_NAME}$`);

export function isBeatName(value: unknown): value is string {
  return typeof value === 'string' && WHOLE_BEAT_NAME.test(value);
}

/** A name that no other process, and no later one, ever has. */
export function newBeatName(): string {
  return randomUUID();
}
