/** What a node says of its own runs, and of the lock. */
export const LIFE: string = `
-- The first result stays.
create function end_run(me text, lifetime_ text, q jsonb) returns text language plpgsql as $$
declare d desk := open_desk(me, lifetime_, q); r run := find_run(d.id, q); token_ bigint := reservation(d, q->>'runId');
begin
  if r.id is null or r.ended_at is not null then
    return answer(d, jsonb_build_object('kind', 'ended', 'run', case when r.id is not null then told(r) end));
  end if;
  if r.status = 'stopping' and q->>'status' <> 'aborted' then
    return answer(d, jsonb_build_object('kind', 'stopping', 'run', told(r), 'epilogue', token_));
  end if;
  if r.status = 'running' and q->>'status' = 'aborted' then
    r.reason := coalesce(q->>'reason', 'policy');
    r.detail := q->>'detail';
  end if;
  update run set status = q->>'status', reason = r.reason, detail = r.detail,
    report = coalesce(q->'report', report), ended_at = clock_timestamp()
  where id = r.id returning * into r;
  if not (q->>'retain')::boolean then
    delete from run where id = r.id;
  end if;
  if token_ is not null then
    d.reserved := without_reservation(d.reserved, token_);
  end if;
  if r.node <> d.node then
    d.tell := d.tell || r.beat;
  end if;
  return answer(draw(d), jsonb_build_object('kind', 'ended', 'run', told(r)));
end $$;

create function announce_run(me text, lifetime_ text, q jsonb) returns text language plpgsql as $$
declare d desk := open_desk(me, lifetime_, q); r run := find_run(d.id, q);
begin
  if r.id is null or r.ended_at is not null then
    return answer(d, '{"kind": "stale"}');
  end if;
  if (q->>'hasEpilogue')::boolean then
    d := announce(d, r);
  end if;
  -- Sent again, a report is no change.
  if r.status = 'stopping' and q->'report' is distinct from r.report and q->'report' is not null then
    update run set report = q->'report' where id = r.id;
    d.is_touched := true;
  end if;
  return answer(d, jsonb_build_object('kind', 'announced', 'epilogue', reservation(d, r.run_id)));
end $$;

-- The holder, and the reservations that come before this request, of processes that are gone.
create function bury_in_the_way(d desk, me text, reserved_ bigint) returns desk language plpgsql as $$
declare beat_ text; first jsonb;
begin
  select beat into beat_ from lock where session = d.id;
  if found and is_buriable(d.id, beat_, me) then
    d := bury(d, beat_, me);
  end if;
  for first in select x from jsonb_array_elements(d.reserved) x loop
    exit when (first->>'token')::bigint = reserved_;
    if d.reserved @> jsonb_build_array(first) and is_buriable(d.id, first->>'beat', me) then
      d := bury(d, first->>'beat', me);
    end if;
  end loop;
  return d;
end $$;

create function is_meant(d desk, q jsonb) returns boolean language plpgsql as $$
begin
  return case
    when q->>'reserved' is not null then
      exists (select from jsonb_array_elements(d.reserved) x where x->'token' = q->'reserved')
    when q->'run' is not null then coalesce((find_run(d.id, q->'run')).status = 'running', false)
    else true end;
end $$;

create function take_lock(me text, lifetime_ text, q jsonb) returns text language plpgsql as $$
declare
  d desk := open_desk(me, lifetime_, q); l lock; first jsonb;
  reserved_ bigint := (q->>'reserved')::bigint; token_ bigint;
begin
  select * into l from lock where session = d.id;
  if found and l.node = d.node and l.attempt = (q->>'attempt')::bigint then
    return answer(d, jsonb_build_object('kind', 'granted', 'token', l.token));
  end if;
  if not is_meant(d, q) then
    return answer(d, '{"kind": "stale"}');
  end if;
  if d.is_there then
    d := bury_in_the_way(d, me, reserved_);
    select * into l from lock where session = d.id;
  end if;
  first := d.reserved->0;
  if l.session is not null or (first is not null and (first->>'token')::bigint is distinct from reserved_) then
    perform watch(d.id, d.key, me, d.node);
    return answer(d, jsonb_build_object('kind', 'busy', 'holder', case when l.session is not null then told(l) end));
  end if;
  d := draw(d);
  token_ := coalesce((first->>'token')::bigint, d.version);
  insert into lock values (d.id, token_, coalesce(first->>'runId', q->'run'->>'runId'), d.node, me,
    (q->>'attempt')::bigint, (q->>'since')::numeric::bigint, first is not null);
  if first is not null then
    d.reserved := d.reserved - 0;
  else
    d.last_grant := token_;
  end if;
  return answer(d, jsonb_build_object('kind', 'granted', 'token', token_));
end $$;

create function give_lock(me text, lifetime_ text, q jsonb) returns text language plpgsql as $$
declare d desk := open_desk(me, lifetime_, q); token_ bigint := (q->>'token')::bigint; first jsonb;
begin
  d := free(d, token_);
  if not d.is_touched then
    select x into first from jsonb_array_elements(d.reserved) x where (x->>'token')::bigint = token_;
    if found then
      d.reserved := without_reservation(d.reserved, token_);
      d.is_touched := true;
    end if;
  end if;
  return answer(d, jsonb_build_object('wasHeld', d.is_touched));
end $$;
`;
