import { BURIAL } from './burial.js';
import { CLAIM } from './claim.js';
import { FENCE } from './fence.js';
import { JANITOR } from './janitor.js';
import { LEASES } from './leases.js';
import { LIFE } from './life.js';
import { MARKS } from './marks.js';
import { READS } from './reads.js';
import { SHARED } from './shared.js';
import { STOP } from './stop.js';
import { TABLES } from './tables.js';

/** What this version of runfence needs. */
export const SCHEMA_VERSION = 1;

/** The functions that a server calls. It needs no other right. */
export const ENTRIES: readonly string[] = [
  'open_lease(text, text, bigint, bigint)',
  'renew(text, text, bigint, bigint, text)',
  'look(text, bigint)',
  'close_lease(text)',
  'claim_run(text, text, jsonb)',
  'stop_runs(text, text, jsonb)',
  'list_stop(text, text, jsonb)',
  'end_run(text, text, jsonb)',
  'announce_run(text, text, jsonb)',
  'take_lock(text, text, jsonb)',
  'give_lock(text, text, jsonb)',
  'check_run(jsonb)',
  'read_session(text, jsonb)',
  'read_run(text, jsonb)',
  'read_node(jsonb)',
  'read_active()',
  'read_list()',
  'read_news(text, jsonb)',
  'forget(jsonb)',
  'send_hints(jsonb)',
  'untold(text, bigint)',
  'acknowledge(jsonb)',
  'sweep(text, text)',
  'tidy()',
  'fence(text)',
  'schema_version()',
];

/** The steps from an empty schema to `SCHEMA_VERSION`. A step that was released is never changed. */
export const STEPS: readonly string[] = [
  [TABLES, SHARED, MARKS, BURIAL, CLAIM, STOP, LIFE, READS, LEASES, JANITOR, FENCE].join(''),
];
