/** What is stored. Keys and ids are found by a digest of theirs: a text of a stranger may be longer than an index takes. */
export const TABLES: string = `
-- Generations, tokens, stops and versions. Past the last safe integer of JavaScript it ends.
create sequence number as bigint maxvalue 9007199254740991;

-- One row: which life of which server the numbers belong to, and the version of the list of stops.
create table lifetime (
  is_only boolean primary key default true check (is_only),
  id text not null,
  since timestamptz not null,
  floor bigint not null,
  list bigint not null
);

-- The lease of each process, and where it listens.
create table process (
  beat text primary key,
  channel text not null,
  until timestamptz not null,
  lease_ms integer not null
) with (fillfactor = 50);

-- The record of a session, but for its runs and its lock. Absent if it has nothing.
create table session (
  id uuid primary key,
  key text not null,
  version bigint not null,
  last_grant bigint not null,
  reserved jsonb not null,
  stops jsonb not null,
  stopped_at timestamptz
) with (fillfactor = 70);
create index session_stopped on session (stopped_at) where stopped_at is not null;

-- Who holds a session's lock: a row of its own, so that a fence in a transaction of the host holds up nothing else.
create table lock (
  session uuid primary key,
  token bigint not null,
  run_id text,
  node text not null,
  beat text not null,
  attempt bigint not null,
  since bigint not null,
  is_epilogue boolean not null
) with (fillfactor = 70);
create index lock_beat on lock (beat);

-- Live runs, and ended ones that are retained.
create table run (
  id uuid primary key,
  run_id text not null,
  session uuid not null,
  session_key text not null,
  generation bigint not null,
  node text not null,
  beat text not null,
  attempt bigint not null,
  said jsonb not null,
  list_since bigint not null,
  status text not null,
  reason text,
  detail text,
  superseded_by text,
  stopped_by text,
  has_epilogue boolean not null,
  grant_at_stop bigint,
  report jsonb,
  ended_at timestamptz
) with (fillfactor = 70);
create index run_live on run (session, generation) where ended_at is null;
create index run_beat on run (beat) where ended_at is null;
create index run_ended on run (ended_at) where ended_at is not null;

-- Who wants to hear of a session without having anything there, and at which version its record went.
create table interest (
  session uuid not null,
  beat text not null,
  node text not null,
  session_key text not null,
  until timestamptz not null,
  gone bigint,
  primary key (session, beat, node)
);
create index interest_beat on interest (beat);

-- The stops of the whole backend.
create table listed (
  number bigint primary key,
  node text not null,
  beat text not null,
  attempt bigint not null,
  said jsonb not null,
  intent_for uuid,
  at timestamptz not null
);
create unique index listed_attempt on listed (node, attempt);
create index listed_intent on listed (intent_for) where intent_for is not null;

-- Stops that are kept no more: sent again, one is no new one.
create table forgotten (
  node text not null,
  attempt bigint not null,
  number bigint not null,
  at timestamptz not null,
  primary key (node, attempt)
);
create index forgotten_at on forgotten (at);

-- Runs of dead processes, until somebody has taken note of them.
create table orphan (
  generation bigint primary key,
  run jsonb not null,
  by_beat text not null,
  told_at timestamptz,
  at timestamptz not null
);
`;
