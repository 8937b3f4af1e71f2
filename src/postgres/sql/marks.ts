/** What a stop, a takeover and a burial do to a run and to the lock. */
export const MARKS: string = `
-- Above every grant so far, below every later one.
create function reserve(d desk, r run) returns desk language plpgsql as $$
begin
  d := draw(d);
  d.reserved := d.reserved || jsonb_build_array(
    jsonb_build_object('runId', r.run_id, 'nodeId', r.node, 'beat', r.beat, 'token', d.version));
  return d;
end $$;

create function mark(d desk, r run, by_ jsonb, has_epilogue_ boolean) returns desk language plpgsql as $$
begin
  update run set status = 'stopping', reason = by_->>'reason', detail = by_->>'detail',
    superseded_by = by_->>'supersededBy', stopped_by = by_->>'stoppedBy', grant_at_stop = d.last_grant,
    has_epilogue = has_epilogue or has_epilogue_
  where id = r.id returning * into r;
  if r.has_epilogue then
    return reserve(d, r);
  end if;
  d.is_touched := true;
  return d;
end $$;

-- The flag says that the question was answered, too: after a later grant an epilogue would write over what that wrote.
create function announce(d desk, r run) returns desk language plpgsql as $$
begin
  if r.has_epilogue then
    return d;
  end if;
  update run set has_epilogue = true where id = r.id;
  if r.status = 'stopping' and r.grant_at_stop = d.last_grant then
    return reserve(d, r);
  end if;
  d.is_touched := true;
  return d;
end $$;

-- Frees the grant of this token. A transaction of the host that has fenced with it is waited for by the caller, outside:
-- here it would hold up the session.
create function free(d desk, token_ bigint) returns desk language plpgsql as $$
declare l lock;
begin
  select * into l from lock where session = d.id and token = token_ for update nowait;
  if found then
    delete from lock where session = d.id;
    d.is_touched := true;
    if l.node <> d.node then
      d.tell := d.tell || l.beat;
    end if;
  end if;
  return d;
end $$;

create function mark_item(d desk, item jsonb, r run, by_ jsonb) returns desk language plpgsql as $$
declare has_epilogue_ boolean := (item->>'hasEpilogue')::boolean;
begin
  if r.status = 'running' then
    d := mark(d, r, by_, has_epilogue_);
  elsif r.status = 'stopping' and has_epilogue_ then
    d := announce(d, r);
  end if;
  if item->>'revoke' is not null then
    d := free(d, (item->>'revoke')::bigint);
  end if;
  return d;
end $$;
`;
