/** What is asked, and forgotten. */
export const READS: string = `
create function check_run(q jsonb) returns text language plpgsql as $$
begin
  return (
    select ((q->'run' is null or coalesce((find_run(digest(q->>'sessionKey'), q->'run')).status = 'running', false))
      and (q->>'token' is null or exists (
        select from lock where session = digest(q->>'sessionKey') and token = (q->>'token')::bigint)))::text
  );
end $$;

-- With the lock of the session: an absent record is at the counter's value, which runs ahead of what is not committed.
create function read_record(key_ text) returns jsonb language plpgsql as $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'runfence: an operation needs a transaction of READ COMMITTED' using errcode = 'RF001';
  end if;
  perform pg_advisory_xact_lock_shared(session_lock(key_));
  return snapshot(load(key_, null, (select floor from lifetime)));
end $$;

create function read_session(me text, q jsonb) returns text language plpgsql as $$
declare record_ jsonb := read_record(q->>'sessionKey');
begin
  if (q->>'watch')::boolean then
    perform watch(digest(q->>'sessionKey'), q->>'sessionKey', me, q->>'nodeId');
  end if;
  return record_::text;
end $$;

create function read_run(me text, q jsonb) returns text language plpgsql as $$
declare key_ text := q->>'sessionKey'; r run;
begin
  if (q->>'watch')::boolean then
    key_ := coalesce(key_, (select session_key from run where id = digest(q->>'runId')));
    if key_ is not null then
      perform read_record(key_);
      perform watch(digest(key_), key_, me, q->>'nodeId');
    end if;
  end if;
  select * into r from run where id = digest(q->>'runId') and (q->>'sessionKey' is null or session_key = q->>'sessionKey');
  return case when found then told(r)::text end;
end $$;

create function read_node(q jsonb) returns text language plpgsql as $$
declare key_ text; records jsonb := '[]';
begin
  for key_ in
    select session_key from run where node = q->>'nodeId' and ended_at is null
    union select s.key from lock l join session s on s.id = l.session where l.node = q->>'nodeId'
    order by 1
  loop
    records := records || read_record(key_);
  end loop;
  return records::text;
end $$;

create function read_active() returns text language plpgsql as $$
begin
  return (
    select coalesce(jsonb_agg(told(r) order by r.generation), '[]')::text from run r where r.ended_at is null
  );
end $$;

create function read_list() returns text language plpgsql as $$
begin
  return (
    select jsonb_build_object('version', greatest(l.list, l.floor),
      'stops', coalesce((select jsonb_agg(listed_stop(s) order by s.number) from listed s), '[]'))::text from lifetime l
  );
end $$;

create function forget_stop(stop jsonb) returns void language plpgsql as $$
begin
  insert into forgotten values (stop->>'nodeId', (stop->>'attempt')::bigint, (stop->>'number')::bigint, clock_timestamp())
  on conflict (node, attempt) do update set number = excluded.number, at = excluded.at;
end $$;

-- It moves no version: what is old enough to be dropped concerns nobody.
create function forget(q jsonb) returns text language plpgsql as $$
declare d desk; stop_ jsonb; l listed;
begin
  if q->>'listed' is not null then
    delete from listed where number = (q->>'listed')::bigint returning * into l;
    if found then
      perform forget_stop(listed_stop(l));
    end if;
    return '{}';
  end if;
  if q->>'runId' is not null then
    delete from run where id = digest(q->>'runId') and generation = (q->>'generation')::bigint
      and session = digest(q->>'sessionKey') and ended_at is not null;
    return '{}';
  end if;
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'runfence: an operation needs a transaction of READ COMMITTED' using errcode = 'RF001';
  end if;
  perform pg_advisory_xact_lock(session_lock(q->>'sessionKey'));
  d := load(q->>'sessionKey', null, (select floor from lifetime));
  select x into stop_ from jsonb_array_elements(d.stops) x where x->'number' = q->'stop';
  if found then
    perform forget_stop(stop_);
    d.stops := coalesce((select jsonb_agg(x) from jsonb_array_elements(d.stops) x where x->'number' <> q->'stop'), '[]');
    perform write(d);
  end if;
  return '{}';
end $$;
`;
