/** The fence in a transaction of the host. */
export const FENCE: string = `
-- Raises unless the lock is held with this token, and, but for an epilogue, by a run that is running. Until the
-- transaction ends the lock stays where it is: nobody else is granted it. A transaction that is then left open is ended.
create function fence(pass text) returns boolean language plpgsql as $$
declare p jsonb := pass::jsonb; l lock;
begin
  select * into l from lock
  where session = digest(p->>0) and token = (p->>1)::bigint for share;
  if not found then
    raise exception 'runfence: the lock of this session is not held with this token any more' using errcode = 'RF010';
  end if;
  if not l.is_epilogue and l.run_id is not null and not exists (
    select from run where id = digest(l.run_id) and session = l.session and status = 'running'
      and (p->>2 is null or generation = (p->>2)::bigint)) then
    raise exception 'runfence: the run that holds the lock was stopped' using errcode = 'RF010';
  end if;
  if current_setting('idle_in_transaction_session_timeout') in ('0', '0ms') then
    perform set_config('idle_in_transaction_session_timeout', '5s', true);
  end if;
  return true;
end $$;
`;
