/** What becomes of a process whose lease has ended: nothing by itself, and what somebody needs is taken from it. */
export const BURIAL: string = `
-- One that asks is alive. After a restart or a failover nobody is gone for the length of its lease.
create function is_gone(beat_ text, me text) returns boolean language plpgsql as $$
declare p process; at timestamptz := clock_timestamp();
begin
  if beat_ = me then
    return false;
  end if;
  select * into p from process where beat = beat_;
  if not found then
    return true;
  end if;
  if p.until >= at or (select since from lifetime) + p.lease_ms * interval '1 ms' >= at then
    return false;
  end if;
  -- It may be renewing its lease: either that comes first, or it finds what is taken here.
  select * into p from process where beat = beat_ for share;
  return not found or p.until < clock_timestamp();
end $$;

-- A transaction of the host has fenced with this lock, and is not over. It is waited for outside: in here it would hold up
-- the session.
create function is_fenced(session_ uuid) returns boolean language plpgsql as $$
begin
  perform from lock where session = session_ for update nowait;
  return false;
exception when lock_not_available then
  return true;
end $$;

-- Whether it can be taken from now.
create function is_buriable(session_ uuid, beat_ text, me text) returns boolean language plpgsql as $$
begin
  return is_gone(beat_, me)
    and not (exists (select from lock where session = session_ and beat = beat_) and is_fenced(session_));
end $$;

-- A stop of the whole backend was before the death: a run that was stopped is not begun again as lost.
create function why_ended(r run) returns jsonb language plpgsql as $$
begin
  return (
    select coalesce(
      (select jsonb_build_object('reason', l.said->'reason', 'detail', l.said->'detail') from listed l
        where l.number > r.list_since and matches(l.said->'selector', r) and may_stop(l.said->'requester', r.said->'owner')
        order by l.number limit 1),
      '{"reason": "heartbeat-lost"}')
  );
end $$;

-- A process that is gone loses what it has in one session.
create function bury(d desk, beat_ text, me text) returns desk language plpgsql as $$
declare r run; why jsonb;
begin
  for r in select * from run where session = d.id and beat = beat_ and ended_at is null order by generation loop
    if r.status = 'running' then
      why := why_ended(r);
      r.reason := why->>'reason';
      r.detail := why->>'detail';
    end if;
    update run set status = 'aborted', reason = r.reason, detail = r.detail, ended_at = clock_timestamp()
    where id = r.id returning * into r;
    insert into orphan values (r.generation, told(r), me, null, clock_timestamp()) on conflict do nothing;
    d.has_orphans := true;
  end loop;
  delete from lock where session = d.id and beat = beat_;
  d.reserved := (select coalesce(jsonb_agg(x order by at), '[]')
    from jsonb_array_elements(d.reserved) with ordinality as e(x, at) where x->>'beat' <> beat_);
  d.is_news := true;
  d.tell := d.tell || beat_;
  return draw(d);
end $$;

-- In another session than the one that is asked about. Nobody waits for it with a lock in hand.
create function bury_elsewhere(d desk, key_ text, beat_ text, me text) returns desk language plpgsql as $$
declare other desk;
begin
  if not pg_try_advisory_xact_lock(session_lock(key_)) then
    raise exception 'runfence: the other session is busy' using errcode = '55P03';
  end if;
  other := settle(bury(load(key_, null, (select floor from lifetime)), beat_, me));
  d.hints := d.hints || other.hints;
  d.has_orphans := d.has_orphans or other.has_orphans;
  d.is_news := true;
  return d;
end $$;

-- Buries those of these that are gone. Says whether any is left.
create function clear_way(d desk, me text, beats text[]) returns desk language plpgsql as $$
declare beat_ text;
begin
  d.is_blocked := false;
  foreach beat_ in array beats loop
    if is_buriable(d.id, beat_, me) then
      d := bury(d, beat_, me);
    else
      d.is_blocked := true;
    end if;
  end loop;
  return d;
end $$;
`;
