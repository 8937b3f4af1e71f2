/** What is in nobody's way, and is not needed any more. */
export const JANITOR: string = `
-- Buries one process that is gone for three leases, in sessions that nobody works on now. Several may sweep at once.
create function sweep(me text, lifetime_ text) returns text language plpgsql as $$
declare p process; key_ text; d desk; floor_ bigint; hints jsonb := '[]'; has_orphans boolean := false; left_over integer := 0;
begin
  floor_ := enter(me, lifetime_, false);
  select * into p from process x
  where x.beat <> me and x.until + 2 * x.lease_ms * interval '1 ms' < clock_timestamp()
    and (select since from lifetime) + 3 * x.lease_ms * interval '1 ms' < clock_timestamp()
  order by x.until limit 1 for update skip locked;
  if not found then
    return '{"hints": []}';
  end if;
  for key_ in
    select session_key from run where beat = p.beat and ended_at is null
    union select s.key from lock l join session s on s.id = l.session where l.beat = p.beat
    limit 200
  loop
    if pg_try_advisory_xact_lock(session_lock(key_)) and not is_fenced(digest(key_)) then
      d := settle(bury(load(key_, null, floor_), p.beat, me));
      hints := hints || d.hints;
      has_orphans := has_orphans or d.has_orphans;
    else
      left_over := left_over + 1;
    end if;
  end loop;
  if left_over = 0 and not exists (select from run where beat = p.beat and ended_at is null)
    and not exists (select from lock where beat = p.beat) then
    delete from interest where beat = p.beat;
    delete from process where beat = p.beat;
  end if;
  return jsonb_build_object('hints', hints, 'orphans', has_orphans, 'more', true)::text;
end $$;

-- What dead processes have left for retries, and what was kept for requests that come twice. By age: nobody compares
-- these times with anything else.
create function tidy() returns text language plpgsql as $$
declare key_ text; at timestamptz := clock_timestamp(); d desk;
begin
  delete from run where id in (
    select r.id from run r where r.ended_at < at - interval '5 minutes'
      and not exists (select from process where beat = r.beat) limit 1000);
  -- Live runs and grants of a process that has no lease at all.
  insert into process
  select distinct beat, '', at - interval '1 day', 1000 from (
    select beat from run where ended_at is null union select beat from lock
  ) left_behind where not exists (select from process p where p.beat = left_behind.beat)
  on conflict do nothing;
  delete from forgotten where ctid = any (array(
    select ctid from forgotten where forgotten.at < clock_timestamp() - interval '10 minutes' limit 1000));
  delete from orphan o where o.at < clock_timestamp() - interval '1 hour';
  delete from interest i where i.until < clock_timestamp()
    and not exists (select from session s where s.id = i.session);
  delete from listed l where l.at < clock_timestamp() - interval '10 minutes'
    and not exists (select from process p where p.beat = l.beat);
  for key_ in select key from session where stopped_at < clock_timestamp() - interval '10 minutes' limit 200 loop
    continue when not pg_try_advisory_xact_lock(session_lock(key_));
    d := load(key_, null, (select floor from lifetime));
    d.stops := coalesce((select jsonb_agg(x) from jsonb_array_elements(d.stops) x
      where exists (select from process p where p.beat = x->>'beat')), '[]');
    d.stopped_at := case when d.stops = '[]' then null else clock_timestamp() end;
    perform write(d);
  end loop;
  return '{}';
end $$;
`;
