/** Marks runs of one session, or lists a stop of the whole backend. */
export const STOP: string = `
create function found_of(run_id_ text, r run, by_ text) returns jsonb language plpgsql immutable as $$
begin
  return jsonb_build_object('runId', run_id_, 'run', case when r.id is not null then told(r) end, 'found', case
    when r.id is null then 'unknown'
    when r.stopped_by = by_ then 'stopped'
    when r.status = 'stopping' then 'stopping'
    else 'ended' end);
end $$;

-- A stop that is sent again after a failover hits what was begun before it, and what its answer named.
create function is_before(r run, q jsonb) returns boolean language plpgsql immutable as $$
begin
  return q->>'number' is null or r.generation < (q->>'number')::bigint or q->'named' ? r.run_id;
end $$;

-- Its number is in use again, if a failover took it back.
create function reach(number_ bigint) returns void language plpgsql as $$
begin
  if number_ > counter() then
    perform setval('number', number_);
  end if;
end $$;

create function stopped(d desk, found_ jsonb, run_ids text[], number_ bigint) returns text language plpgsql as $$
begin
  return answer(d, jsonb_build_object('number', number_, 'runs', found_, 'epilogues', epilogues_of(d, run_ids)));
end $$;

-- The first answer once more, with the runs as they are now.
create function stop_again(d desk, q jsonb, kept jsonb, by_ text) returns text language plpgsql as $$
declare
  item jsonb; r run; found_ jsonb := '[]'; run_ids text[] := '{}'; run_id_ text;
  rest text[] := array(select x from jsonb_array_elements_text(kept->'marked') x where not kept->'unmet' ? x);
begin
  for item in select x from jsonb_array_elements(q->'runs') x loop
    r := find_run(d.id, item);
    if r.id is null and item->>'runId' = any (rest) then
      found_ := found_ || jsonb_build_object('runId', item->'runId', 'found', 'stopped');
    elsif r.status = 'running' then
      found_ := found_ || found_of(item->>'runId', null, by_);
    else
      found_ := found_ || found_of(item->>'runId', r, by_);
      run_ids := run_ids || r.run_id;
    end if;
    rest := array_remove(rest, item->>'runId');
  end loop;
  foreach run_id_ in array rest loop
    select * into r from run where id = digest(run_id_) and session = d.id and stopped_by = by_;
    if found then
      found_ := found_ || found_of(run_id_, r, by_);
      run_ids := run_ids || run_id_;
    else
      -- It was stopped, and has ended, and nobody retains it.
      found_ := found_ || jsonb_build_object('runId', run_id_, 'found', 'stopped');
    end if;
  end loop;
  return stopped(d, found_, run_ids, (kept->>'number')::bigint);
end $$;

create function stop_runs(me text, lifetime_ text, q jsonb) returns text language plpgsql as $$
declare
  d desk := open_desk(me, lifetime_, q, q->>'number' is not null);
  by_ text := (q->>'attempt') || ' ' || (q->>'nodeId');
  how jsonb := jsonb_build_object('reason', q->'reason', 'detail', q->'detail', 'supersededBy', q->'supersededBy',
    'stoppedBy', (q->>'attempt') || ' ' || (q->>'nodeId'));
  kept jsonb; item jsonb; r run; found_ jsonb := '[]'; run_ids text[] := '{}'; earlier uuid[]; unmet jsonb; number_ bigint;
begin
  select x into kept from jsonb_array_elements(d.stops) x
  where x->>'nodeId' = q->>'nodeId' and x->'attempt' = q->'attempt';
  if kept is not null then
    return stop_again(d, q, kept, by_);
  end if;
  -- Its first answer came long ago, or nobody would have had it forgotten. With its number it comes after a failover.
  if q->>'number' is null and exists (select from forgotten where node = q->>'nodeId' and attempt = (q->>'attempt')::bigint) then
    return stopped(d, '[]', '{}', null);
  end if;
  if q->>'number' is not null then
    perform reach((q->>'number')::bigint);
  end if;
  -- What runs now may have begun since it came first, and is not to be selected.
  if q->'select' is not null then
    earlier := array(select id from run where session = d.id and ended_at is null and status = 'stopping'
      and stopped_by = by_ order by generation);
  end if;
  for item in select x from jsonb_array_elements(q->'runs') x loop
    r := find_run(d.id, item);
    if r.status is distinct from 'running' or is_before(r, q) then
      d := mark_item(d, item, r, how);
    end if;
    r := find_run(d.id, item);
    -- One that runs on was begun after this stop: it is not what was meant.
    found_ := found_ || found_of(item->>'runId', case when r.status <> 'running' then r end, by_);
    run_ids := run_ids || case when r.status <> 'running' then r.run_id end;
  end loop;
  if cardinality(earlier) > 0 then
    for r in select * from run where id = any (earlier) and run_id <> all (array_remove(run_ids, null)) order by generation loop
      found_ := found_ || found_of(r.run_id, r, by_);
      run_ids := run_ids || r.run_id;
    end loop;
  elsif q->'select' is not null then
    for r in select * from run x where x.session = d.id and x.ended_at is null and x.status = 'running'
      and matches(q->'select', x) and is_before(x, q) order by x.generation loop
      d := mark(d, r, how, false);
      select * into r from run where id = r.id;
      found_ := found_ || found_of(r.run_id, r, by_);
      run_ids := run_ids || r.run_id;
    end loop;
  end if;
  if q->'record' is null or cardinality(earlier) > 0 then
    return stopped(d, found_, run_ids, null);
  end if;
  d := draw(d);
  number_ := coalesce((q->>'number')::bigint, d.version);
  unmet := coalesce((select jsonb_agg(x) from jsonb_array_elements_text(q->'named') x
    where not exists (select from run where id = digest(x) and session = d.id)), '[]');
  d.stops := with_stop(d.stops, jsonb_strip_nulls(q->'record' || jsonb_build_object(
    'number', number_, 'nodeId', q->'nodeId', 'beat', me, 'attempt', q->'attempt', 'reason', q->'reason', 'detail', q->'detail',
    'unmet', unmet, 'marked', coalesce((select jsonb_agg(x->'runId')
      from jsonb_array_elements(found_) x where x->>'found' = 'stopped'), '[]') || unmet)));
  d.stopped_at := clock_timestamp();
  return stopped(d, found_, run_ids, number_);
end $$;

-- It marks no run. All others hear of it.
create function list_stop(me text, lifetime_ text, q jsonb) returns text language plpgsql as $$
declare number_ bigint; version_ bigint; attempt_ bigint := (q->>'attempt')::bigint;
begin
  perform enter(me, lifetime_, true);
  select number into number_ from listed where node = q->>'nodeId' and attempt = attempt_;
  if not found and q->>'number' is null then
    select number into number_ from forgotten where node = q->>'nodeId' and attempt = attempt_;
  end if;
  if number_ is not null then
    return jsonb_build_object('number', number_)::text;
  end if;
  if q->>'number' is not null then
    perform reach((q->>'number')::bigint);
  end if;
  -- Sent again, it keeps its number, and the list has a new version all the same: one that does not move is not read.
  version_ := nextval('number');
  number_ := coalesce((q->>'number')::bigint, version_);
  insert into listed values (number_, q->>'nodeId', me, attempt_,
    jsonb_strip_nulls(jsonb_build_object('selector', q->'selector', 'requester', q->'requester', 'reason', q->'reason',
      'detail', q->'detail', 'intent', q->'intent')),
    case when (q->>'intent')::boolean then digest(q->'selector'->>'runId') end, clock_timestamp());
  update lifetime set list = version_;
  return jsonb_build_object('number', number_, 'version', version_,
    'hints', (select coalesce(jsonb_agg(jsonb_build_object('to', channel, 'list', version_)), '[]') from process))::text;
end $$;
`;
