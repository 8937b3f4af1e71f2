/** The lease of a process, and what it is told. */
export const LEASES: string = `
-- The first operation after a restart or a failover goes on above every number that may have been lost, and all
-- records are at least at that version: what was lost is absent, and newer.
create function reach_lifetime() returns text language plpgsql as $$
declare id_ text := current_lifetime();
begin
  if (select id from lifetime) = id_ then
    return id_;
  end if;
  perform pg_advisory_xact_lock(number_lock());
  if (select id from lifetime for update) <> id_ then
    perform set_config('synchronous_commit', 'on', true);
    perform setval('number', greatest(counter(), (select list from lifetime), (select floor from lifetime)) + 4294967296);
    update lifetime set id = id_, since = clock_timestamp(), floor = counter();
  end if;
  return id_;
end $$;

-- A new process. One that was written for another schema is told so.
create function open_lease(me text, channel_ text, lease_ms_ bigint, schema_version_ bigint) returns text
language plpgsql as $$
begin
  if schema_version_ <> schema_version() then
    raise exception 'runfence: the schema has version %, and this runfence needs version %', schema_version(), schema_version_
      using errcode = 'RF004';
  end if;
  insert into process values (me, channel_, clock_timestamp() + lease_ms_ * interval '1 ms', lease_ms_)
  on conflict (beat) do update set until = excluded.until, channel = channel_;
  return jsonb_build_object('lifetime', reach_lifetime(), 'now', counter())::text;
end $$;

-- Everything of a process: where it has a run, a grant or a reservation, or wants to hear of changes.
create function sessions_of(me text) returns setof uuid language plpgsql as $$
begin
  return query select session from run where beat = me and ended_at is null
    union select session from lock where beat = me
    union select session from interest where beat = me;
end $$;

-- Runs of dead processes. One that was told and not taken note of for a lease is told by somebody else, who may have a
-- listener, and by the same one again only after that.
create function tell_orphans(me text, lease interval) returns jsonb language plpgsql as $$
declare told_ jsonb;
begin
  if not exists (select from orphan) then
    return '[]';
  end if;
  with due as (
    select generation from orphan o
    where o.by_beat = me and (o.told_at is null or o.told_at < clock_timestamp() - 3 * lease)
      or o.by_beat <> me and (o.told_at < clock_timestamp() - lease
        or not exists (select from process where beat = o.by_beat))
    order by generation limit 100 for update skip locked
  ), told as (
    update orphan o set by_beat = me, told_at = clock_timestamp() from due
    where o.generation = due.generation returning o.run
  )
  select coalesce(jsonb_agg(run), '[]') into told_ from told;
  return told_;
end $$;

create function acknowledge(generations jsonb) returns text language plpgsql as $$
begin
  delete from orphan where generation in (select x::bigint from jsonb_array_elements_text(generations) x);
  return '{}';
end $$;

-- The sessions of a process that have changed since a number. Only committed ones are seen, and what has a lower number
-- may be committed later: the number is that of the last look but one.
create function changes(me text, since_ bigint) returns jsonb language plpgsql as $$
declare now_ bigint := counter();
begin
  return jsonb_build_object('now', now_, 'list', (select greatest(list, floor) from lifetime), 'sessions', (
    select coalesce(jsonb_agg(jsonb_build_object('session', id, 'version', version)), '[]') from (
      select s.id, s.version from session s where s.id in (select sessions_of(me)) and s.version > since_
      union select i.session, i.gone from interest i where i.beat = me and i.gone > since_
    ) changed));
end $$;

create function look(me text, since_ bigint) returns text language plpgsql as $$
begin
  return changes(me, since_)::text;
end $$;

-- The lease runs again. Without a row it is gone, and does not come back. The probe shows whether notices arrive.
create function renew(me text, channel_ text, lease_ms_ bigint, since_ bigint, probe text) returns text
language plpgsql as $$
declare lifetime_ text;
begin
  update process set until = clock_timestamp() + lease_ms_ * interval '1 ms', lease_ms = lease_ms_, channel = channel_
  where beat = me;
  if not found then
    return '{"gone": true}';
  end if;
  perform set_config('synchronous_commit', 'off', true);
  lifetime_ := reach_lifetime();
  if probe is not null then
    perform pg_notify(channel_, probe);
  end if;
  return (changes(me, since_) || jsonb_build_object('lifetime', lifetime_,
    'orphans', tell_orphans(me, lease_ms_ * interval '1 ms')))::text;
end $$;

create function untold(me text, lease_ms_ bigint) returns text language plpgsql as $$
begin
  return tell_orphans(me, lease_ms_ * interval '1 ms')::text;
end $$;

-- The records of sessions of which a process has heard. One that is not there is known by who wants to hear of it.
create function read_news(me text, sessions jsonb) returns text language plpgsql as $$
declare id_ uuid; key_ text; records jsonb := '[]'; unknown integer := 0;
begin
  for id_ in select x::uuid from jsonb_array_elements_text(sessions) x limit 500 loop
    select key into key_ from session where id = id_;
    if not found then
      select session_key into key_ from interest where session = id_ and beat = me limit 1;
    end if;
    if found then
      records := records || (read_record(key_) || jsonb_build_object('id', id_));
    else
      unknown := unknown + 1;
    end if;
  end loop;
  return jsonb_build_object('records', records, 'unknown', unknown)::text;
end $$;

-- After the commit of what they are about: within it, commits would wait for each other.
create function send_hints(hints jsonb) returns text language plpgsql as $$
begin
  perform set_config('synchronous_commit', 'off', true);
  perform pg_notify(x->>'to', x->>'text') from jsonb_array_elements(hints) x;
  return '{}';
end $$;

create function close_lease(me text) returns text language plpgsql as $$
begin
  delete from interest where beat = me;
  delete from process where beat = me;
  return '{}';
end $$;
`;
