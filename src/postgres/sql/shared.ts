/** What all operations have in common. */
export const SHARED: string = `
-- The record of a session while an operation works on it, and what the operation has done so far.
create type desk as (
  id uuid, key text, node text, is_there boolean, version bigint, last_grant bigint, reserved jsonb, stops jsonb,
  stopped_at timestamptz, is_touched boolean, is_drawn boolean, is_news boolean, is_blocked boolean, tell text[],
  hints jsonb, has_orphans boolean, kind text
);

create function digest(text_ text) returns uuid language plpgsql immutable strict as $$
begin
  return encode(substr(sha256(convert_to(text_, 'UTF8')), 1, 16), 'hex')::uuid;
end $$;

create function counter() returns bigint language plpgsql as $$
begin
  return case when is_called then last_value else 0 end from number;
end $$;

-- Another one after each restart and each failover: whatever was lost, it was lost in between.
create function current_lifetime() returns text language plpgsql as $$
begin
  return (
    select left(pg_walfile_name(pg_current_wal_lsn()), 8) || '-'
      || (extract(epoch from pg_postmaster_start_time()) * 1000000)::bigint
  );
end $$;

-- An operation begins. Numbers are drawn beside each other, but for a stop of the whole backend: a claim that has not
-- seen it has a lower one.
create function enter(me text, lifetime_ text, is_alone boolean) returns bigint language plpgsql as $$
declare known lifetime;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'runfence: an operation needs a transaction of READ COMMITTED' using errcode = 'RF001';
  end if;
  if is_alone then
    perform pg_advisory_xact_lock(number_lock());
  else
    perform pg_advisory_xact_lock_shared(number_lock());
  end if;
  select * into known from lifetime;
  if lifetime_ is distinct from known.id or lifetime_ <> current_lifetime() then
    raise exception 'runfence: the server was restarted or replaced' using errcode = 'RF003';
  end if;
  if not exists (select from process where beat = me) then
    raise exception 'runfence: the lease of this process is gone' using errcode = 'RF002';
  end if;
  -- In the function: what a SET clause sets is taken back before the commit.
  if current_setting('synchronous_commit') in ('off', 'local') then
    perform set_config('synchronous_commit', 'on', true);
  end if;
  return known.floor;
end $$;

create function number_lock() returns bigint language plpgsql immutable as $$
begin
  return hashtextextended(@name || ' numbers', 0);
end $$;

create function session_lock(key_ text) returns bigint language plpgsql immutable as $$
begin
  return hashtextextended(key_, hashtextextended(@name, 0));
end $$;

-- The record of a session, whose lock is held.
create function load(key_ text, node_ text, floor_ bigint) returns desk language plpgsql as $$
declare d desk; s session;
begin
  d.id := digest(key_);
  d.key := key_;
  d.node := node_;
  select * into s from session where id = d.id;
  d.is_there := found;
  d.version := greatest(s.version, floor_);
  d.last_grant := coalesce(s.last_grant, 0);
  d.reserved := coalesce(s.reserved, '[]');
  d.stops := coalesce(s.stops, '[]');
  d.stopped_at := s.stopped_at;
  d.is_touched := false;
  d.is_drawn := false;
  d.is_news := false;
  d.is_blocked := false;
  d.tell := '{}';
  d.hints := '[]';
  d.has_orphans := false;
  return d;
end $$;

-- An operation on a session. No other one is under way in it.
create function open_desk(me text, lifetime_ text, q jsonb, is_alone boolean default false) returns desk
language plpgsql as $$
declare d desk; floor_ bigint; seen bigint := (q->>'seen')::bigint;
begin
  floor_ := enter(me, lifetime_, is_alone);
  perform pg_advisory_xact_lock(session_lock(q->>'sessionKey'));
  d := load(q->>'sessionKey', q->>'nodeId', floor_);
  d.is_news := case when d.is_there then seen <> d.version else seen <> 0 and seen <> counter() end;
  return d;
end $$;

-- A number for a change of this record: its version.
create function draw(d desk) returns desk language plpgsql as $$
begin
  d.version := nextval('number');
  d.is_drawn := true;
  return d;
end $$;

create function write(d desk) returns desk language plpgsql as $$
begin
  d.is_there := d.reserved <> '[]' or d.stops <> '[]'
    or exists (select from lock where session = d.id)
    or exists (select from run where session = d.id and ended_at is null);
  if d.is_there then
    insert into session values (d.id, d.key, d.version, d.last_grant, d.reserved, d.stops, d.stopped_at)
    on conflict (id) do update set version = d.version, last_grant = d.last_grant, reserved = d.reserved,
      stops = d.stops, stopped_at = d.stopped_at;
  else
    delete from session where id = d.id;
    update interest set until = clock_timestamp() + interval '1 minute', gone = d.version where session = d.id;
  end if;
  return d;
end $$;

-- Each change has a number: one without would not be told. Says whom to tell.
create function settle(d desk) returns desk language plpgsql as $$
begin
  if d.is_touched and not d.is_drawn then
    d := draw(d);
  end if;
  if not d.is_drawn then
    return d;
  end if;
  d := write(d);
  d.tell := d.tell
    || array(select beat from run where session = d.id and ended_at is null and node is distinct from d.node)
    || array(select beat from lock where session = d.id and node is distinct from d.node)
    || array(select beat from interest where session = d.id and node is distinct from d.node);
  if d.tell <> '{}' then
    d.hints := d.hints || coalesce((
      select jsonb_agg(jsonb_build_object('to', channel, 'session', d.id, 'version', d.version))
      from process where beat = any (d.tell)), '[]');
  end if;
  return d;
end $$;

create function version_of(d desk) returns bigint language plpgsql as $$
begin
  return case when d.is_there then d.version else counter() end;
end $$;

create function told(r run) returns jsonb language plpgsql immutable as $$
begin
  return jsonb_strip_nulls(r.said || jsonb_build_object(
    'sessionKey', r.session_key, 'runId', r.run_id, 'generation', r.generation, 'nodeId', r.node,
    'status', r.status, 'reason', r.reason, 'detail', r.detail, 'supersededBy', r.superseded_by,
    'hasEpilogue', r.has_epilogue, 'listSince', r.list_since, 'report', r.report
  ));
end $$;

create function told(l lock) returns jsonb language plpgsql immutable as $$
begin
  return jsonb_strip_nulls(jsonb_build_object(
    'runId', l.run_id, 'nodeId', l.node, 'token', l.token, 'since', l.since, 'isEpilogue', l.is_epilogue
  ));
end $$;

create function snapshot(d desk) returns jsonb language plpgsql as $$
begin
  return (
    select jsonb_build_object(
      'sessionKey', d.key,
      'version', version_of(d),
      'runs', coalesce((select jsonb_agg(told(r) order by r.generation) from run r where r.session = d.id and r.ended_at is null), '[]'),
      'holder', (select told(l) from lock l where l.session = d.id),
      'reserved', d.reserved,
      'stops', d.stops
    )
  );
end $$;

-- An operation ends.
create function answer(d desk, said jsonb, must_show boolean default false) returns text
language plpgsql as $$
begin
  d := settle(d);
  said := jsonb_strip_nulls(said) || jsonb_build_object('id', d.id, 'version', version_of(d), 'hints', d.hints);
  if d.is_news or must_show then
    said := said || jsonb_build_object('snapshot', snapshot(d));
  end if;
  if d.has_orphans then
    said := said || '{"orphans": true}';
  end if;
  return said::text;
end $$;

-- A node wants to hear of a session.
create function watch(session_ uuid, key_ text, me text, node_ text) returns void language plpgsql as $$
begin
  insert into interest values (session_, me, node_, key_, clock_timestamp() + interval '1 minute', null)
  on conflict (session, beat, node) do update set until = excluded.until, gone = null;
end $$;

-- By identity: the generation counts.
create function find_run(session_ uuid, q jsonb) returns run language plpgsql as $$
declare r run;
begin
  select * into r from run
  where id = digest(q->>'runId') and generation = (q->>'generation')::bigint and session = session_;
  return r;
end $$;

create function reservation(d desk, run_id_ text) returns bigint language plpgsql immutable as $$
begin
  if d.reserved = '[]' then
    return null;
  end if;
  return (
    select (x->>'token')::bigint from jsonb_array_elements(d.reserved) x where x->>'runId' = run_id_
  );
end $$;

create function without_reservation(reserved jsonb, token_ bigint) returns jsonb language plpgsql immutable as $$
begin
  return (
    select coalesce(jsonb_agg(x order by at), '[]')
    from jsonb_array_elements(reserved) with ordinality as e(x, at) where (x->>'token')::bigint is distinct from token_
  );
end $$;

-- In the order of the numbers: a stop that is sent again has an old one.
create function with_stop(stops jsonb, stop jsonb) returns jsonb language plpgsql immutable as $$
begin
  return (
    select jsonb_agg(x order by (x->>'number')::bigint) from jsonb_array_elements(stops || jsonb_build_array(stop)) x
  );
end $$;

create function epilogues_of(d desk, run_ids text[]) returns jsonb language plpgsql immutable as $$
begin
  if d.reserved = '[]' then
    return '[]';
  end if;
  return (
    select coalesce(jsonb_agg(jsonb_build_object('runId', x->'runId', 'token', x->'token') order by at), '[]')
    from jsonb_array_elements(d.reserved) with ordinality as e(x, at) where x->>'runId' = any (run_ids)
  );
end $$;

create function matches(selector jsonb, r run) returns boolean language plpgsql immutable as $$
begin
  return coalesce(selector->>'runId' = r.run_id, true)
    and coalesce(selector->>'sessionKey' = r.session_key, true)
    and coalesce(selector->>'kind' = r.said->>'kind', true)
    and coalesce(r.said->'tags' ? (selector->>'tag'), true)
    and (selector->'owner' is null or coalesce(r.said->'owner' @> (selector->'owner'), false))
    and coalesce((selector->>'generation')::bigint = r.generation, true);
end $$;

-- The host and an administrator may stop all, others what is owned by one of their ids.
create function may_stop(requester jsonb, owner_ jsonb) returns boolean language plpgsql immutable as $$
begin
  return requester is null or requester = '"admin"' or coalesce(
    requester->>'userId' = owner_->>'userId', false)
    or coalesce(requester->>'deviceId' = owner_->>'deviceId', false)
    or coalesce(requester->>'connId' = owner_->>'connId', false);
end $$;
`;
