import type { Host } from './clients.js';

/** Makes it possible to end leases in a schema by hand: what renews such a one has no effect. */
export async function makeLeasesEndable(host: Host, schema: string): Promise<void> {
  await host.query(`create table ${schema}.asleep (beat text primary key)`);
  await host.query(`create function ${schema}.stay_asleep() returns trigger language plpgsql as $$
    begin
      if exists (select from ${schema}.asleep where beat = new.beat) then
        new.until := '-infinity';
      end if;
      return new;
    end $$`);
  await host.query(`create trigger stay_asleep before update on ${schema}.process
    for each row execute function ${schema}.stay_asleep()`);
  // Nobody is gone for the length of its lease after the server was started.
  await host.query(`update ${schema}.lifetime set since = '-infinity'`);
}

/** Ends the lease of a node that has something, or lets it run again. */
export async function endLease(host: Host, schema: string, beats: string, values: unknown[]): Promise<void> {
  await host.query(`insert into ${schema}.asleep ${beats} on conflict do nothing`, values);
  await host.query(
    `update ${schema}.process set until = '-infinity' where beat in (select beat from ${schema}.asleep)`,
  );
}
