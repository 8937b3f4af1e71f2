import { quoted } from './migration.js';
import type { Wire } from './wire.js';

/** How the backend is doing. */
export interface PostgresHealth {
  /** Whether the server answers, and takes the operations of this process. */
  readonly ok: boolean;
  /** How long one question took, in ms; absent if it was not answered. */
  readonly roundTripMs?: number;
  /** The version of the server. */
  readonly server?: string;
  /** The version of the schema. */
  readonly schemaVersion?: number;
  /** `listening`: notices arrive. `polling`: they do not, and changes are looked for four times a second. `closed`: nobody has asked for anything yet. */
  readonly notices: 'listening' | 'polling' | 'closed';
  /** For how long the lease of this process surely runs on, in ms; absent before the first operation. */
  readonly leaseMs?: number;
  /** What should be changed, in words. */
  readonly warnings: readonly string[];
  /** Why it is not well. */
  readonly error?: unknown;
}

interface Settings {
  readonly server: string;
  readonly schema: number;
  readonly fsync: string;
  readonly recovery: boolean;
}

const ASK_MS = 2_000;

export async function healthOf(
  wire: Wire,
  schema: string,
  state: { readonly isOpen: boolean; readonly isHearing: boolean; readonly aliveMs: number },
  explain: (error: unknown) => unknown,
): Promise<PostgresHealth> {
  const { isOpen, isHearing, aliveMs } = state;
  const notices = isHearing ? 'listening' : isOpen ? 'polling' : 'closed';
  const lease = Number.isFinite(aliveMs) ? { leaseMs: Math.round(aliveMs) } : {};
  const start = performance.now();
  try {
    const text = await wire.call({
      name: undefined,
      text: `select json_build_object('server', current_setting('server_version'), 'schema', ${quoted(schema)}.schema_version(),
        'fsync', current_setting('fsync'), 'recovery', pg_is_in_recovery())::text`,
      values: [],
      timeoutMs: ASK_MS,
    });
    const { server, schema: schemaVersion, fsync, recovery } = JSON.parse(text ?? '{}') as Settings;
    const warnings = [
      ...(fsync === 'off'
        ? ['fsync is off: a crash of the machine loses stops and generations that were acknowledged.']
        : []),
      ...(recovery ? ['The server is a standby: connect to the primary.'] : []),
      ...(notices === 'polling'
        ? ['Notices do not arrive: give `listen` a direct connection, not one of a pooler.']
        : []),
    ];
    const ok = !recovery && aliveMs > 0;
    return { ok, roundTripMs: performance.now() - start, server, schemaVersion, notices, ...lease, warnings };
  } catch (error) {
    return { ok: false, notices, ...lease, warnings: [], error: explain(error) };
  }
}
