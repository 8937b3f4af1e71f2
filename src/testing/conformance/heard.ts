import type { Notices, Snapshot, StopList, StoredRun } from '../../backend/index.js';

/** What a node was told. It is plain data: another process passes it on. */
export type Heard =
  | {
      readonly notice: 'changed';
      readonly sessionKey: string;
      readonly version: number;
      readonly snapshot: Snapshot | undefined;
    }
  | { readonly notice: 'listed'; readonly version: number; readonly list: StopList | undefined }
  | { readonly notice: 'orphaned'; readonly runs: readonly StoredRun[] }
  | { readonly notice: 'gap' }
  | { readonly notice: 'lost' };

export type HeardChange = Extract<Heard, { notice: 'changed' }>;

/** Notices that turn into what was heard. Orphans are acknowledged at once. */
export function hearing(hear: (heard: Heard) => void): Notices {
  return {
    changed: (sessionKey, version, snapshot) => hear({ notice: 'changed', sessionKey, version, snapshot }),
    listed: (version, list) => hear({ notice: 'listed', version, list }),
    gap: () => hear({ notice: 'gap' }),
    lost: () => hear({ notice: 'lost' }),
    orphaned: (runs, acknowledge) => {
      hear({ notice: 'orphaned', runs });
      acknowledge();
    },
  };
}

/** Tells again, here, what was heard elsewhere. */
export function tellAgain(heard: Heard, notices: Notices): void {
  if (heard.notice === 'changed') notices.changed(heard.sessionKey, heard.version, heard.snapshot);
  else if (heard.notice === 'listed') notices.listed(heard.version, heard.list);
  else if (heard.notice === 'orphaned') notices.orphaned(heard.runs, () => {});
  else notices[heard.notice]();
}
