/** Gives a run its generation, or says what is in its way. */
export const CLAIM: string = `
create function may_concern(stop jsonb, q jsonb) returns boolean language plpgsql immutable as $$
begin
  return (stop->>'number')::bigint > (q->>'judged')::bigint and (
    stop->'unmet' ? (q->>'runId')
    or case when (stop->>'intent')::boolean then coalesce(stop->'selector'->>'runId' = q->>'runId', false)
      else stop->>'nodeId' <> q->>'nodeId' and coalesce((stop->>'number')::bigint > (q->>'since')::bigint, false) end);
end $$;

create function listed_stop(l listed) returns jsonb language plpgsql immutable as $$
begin
  return l.said || jsonb_build_object('number', l.number, 'nodeId', l.node, 'attempt', l.attempt);
end $$;

-- In the order in which they came: the first that may stop it says why. Nearly always there are none of either kind.
create function stops_for(d desk, id_ uuid, q jsonb) returns jsonb language plpgsql as $$
begin
  if d.stops = '[]' and not exists (select from listed where intent_for = id_) then
    return null;
  end if;
  return (
    select jsonb_agg(stop order by (stop->>'number')::bigint) from (
      select x as stop from jsonb_array_elements(d.stops) x where may_concern(x, q)
      union all
      select listed_stop(l) || '{"intent": true, "marked": []}' from listed l
      where l.intent_for = id_ and l.number > coalesce((q->>'listJudged')::bigint, 0)
    ) concerned
  );
end $$;

create function is_replaced(r run, q jsonb) returns boolean language plpgsql immutable as $$
begin
  return (
    select exists (select from jsonb_array_elements(q->'replaces') x
      where x->>'runId' = r.run_id and (x->>'generation')::bigint = r.generation)
  );
end $$;

-- A probe only asks: a run of a process that is gone is still to be taken over, and keeps that reason.
create function in_the_way(d desk, me text, q jsonb) returns desk language plpgsql as $$
begin
  if q->>'mode' = 'probe' then
    d.kind := 'busy';
    return d;
  end if;
  if not d.is_there then
    return d;
  end if;
  if q->>'mode' = 'exclusive' then
    d := clear_way(d, me, array(select r.beat from run r where r.session = d.id and r.ended_at is null
      and r.status = 'running' and not q->'beside' ? r.run_id and not is_replaced(r, q)
      group by r.beat order by min(r.generation)));
    if d.is_blocked then
      d.kind := 'busy';
      return d;
    end if;
  end if;
  if (q->>'whenQuiet')::boolean then
    d := clear_way(d, me, array(select r.beat from run r where r.session = d.id and r.ended_at is null
      and r.status = 'stopping' and not q->'beside' ? r.run_id
      group by r.beat order by min(r.generation)));
    if d.is_blocked then
      d.kind := 'not-quiet';
    end if;
  end if;
  return d;
end $$;

create function replaced_ids(d desk, q jsonb) returns text[] language plpgsql as $$
begin
  if d.reserved = '[]' then
    return '{}';
  end if;
  return (
    select array(select (find_run(d.id, x)).run_id from jsonb_array_elements(q->'replaces') x)
  );
end $$;

create function supersede(d desk, q jsonb) returns desk language plpgsql as $$
declare item jsonb;
begin
  if q->'replaces' = '[]' then
    return d;
  end if;
  for item in select x from jsonb_array_elements(q->'replaces') x loop
    d := mark_item(d, item, find_run(d.id, item),
      jsonb_build_object('reason', 'superseded', 'supersededBy', q->'runId'));
  end loop;
  return d;
end $$;

create function granted(d desk, r run, epilogues jsonb) returns text language plpgsql as $$
begin
  return answer(d, jsonb_build_object('kind', 'granted', 'generation', r.generation, 'listSince', r.list_since,
    'epilogues', epilogues));
end $$;

create function insert_run(d desk, me text, id_ uuid, q jsonb) returns run language plpgsql as $$
declare r run;
begin
  insert into run values (
    id_, q->>'runId', d.id, d.key, d.version, q->>'nodeId', me, (q->>'attempt')::bigint,
    jsonb_strip_nulls(jsonb_build_object('kind', q->'kind', 'owner', q->'owner', 'tags', q->'tags',
      'fingerprint', q->'fingerprint', 'graceMs', q->'graceMs')),
    coalesce((q->>'listSince')::bigint, d.version), 'running', null, null, null, null,
    (q->>'hasEpilogue')::boolean, null, null, null)
  on conflict (id) do nothing returning * into r;
  if not found then
    -- Claimed in another session in the meantime: asked again, it is a duplicate.
    raise exception 'runfence: the id was claimed at the same time' using errcode = '40001';
  end if;
  return r;
end $$;

-- The order of the checks: the same attempt, duplicate, stopped, busy, not quiet. A claim that is refused marks nothing.
create function claim_run(me text, lifetime_ text, q jsonb) returns text language plpgsql as $$
declare d desk := open_desk(me, lifetime_, q); id_ uuid := digest(q->>'runId'); known run; r run; stops_ jsonb;
begin
  select * into known from run where id = id_;
  if known.id is not null and known.ended_at is null then
    if known.node = q->>'nodeId' and known.attempt = (q->>'attempt')::bigint and known.session = d.id then
      return granted(d, known, epilogues_of(d, replaced_ids(d, q)));
    end if;
    if is_buriable(known.session, known.beat, me) then
      if known.session = d.id then
        d := bury(d, known.beat, me);
      else
        d := bury_elsewhere(d, known.session_key, known.beat, me);
      end if;
      select * into known from run where id = known.id;
    end if;
  end if;
  if known.id is not null
    and (known.ended_at is null or known.generation is distinct from (q->>'repeats')::bigint) then
    perform watch(known.session, known.session_key, me, q->>'nodeId');
    return answer(d, jsonb_build_object('kind', 'duplicate', 'run', told(known)));
  end if;
  stops_ := stops_for(d, id_, q);
  if stops_ is not null then
    return answer(d, jsonb_build_object('kind', 'stopped', 'stops', stops_, 'now', counter()));
  end if;
  d := in_the_way(d, me, q);
  if d.kind is not null then
    perform watch(d.id, d.key, me, q->>'nodeId');
    return answer(d, jsonb_build_object('kind', d.kind, 'now', counter()), true);
  end if;
  -- The one that is repeated goes, and with it its place in the order of the claims.
  if known.id is not null then
    delete from run where id = id_;
  end if;
  d := draw(supersede(d, q));
  r := insert_run(d, me, id_, q);
  return granted(d, r, epilogues_of(d, replaced_ids(d, q)));
end $$;
`;
