/** Who acts. The host is the server itself; the others are users, and a user may have more than one id. */
export type Who = 'host' | 'admin' | 'ada' | 'bob' | 'phone' | 'tablet';

/** Ada and the phone are one user, the phone and the tablet one device; Ada and the tablet have nothing in common. */
export const IDS: Readonly<Record<Who, { readonly userId?: string; readonly deviceId?: string }>> = {
  host: {},
  admin: {},
  ada: { userId: 'ada' },
  bob: { userId: 'bob' },
  phone: { userId: 'ada', deviceId: 'd1' },
  tablet: { deviceId: 'd1' },
};

/**
 * The host and the admin may do everything. A user may act on the runs of an owner with whom it shares an id, and on no
 * run that has no owner.
 */
export function may(who: Who, owner: Who): boolean {
  if (who === 'host' || who === 'admin') return true;
  const [a, b] = [IDS[who], IDS[owner]];
  const isSame = (one: string | undefined, other: string | undefined): boolean => one !== undefined && one === other;
  return isSame(a.userId, b.userId) || isSame(a.deviceId, b.deviceId);
}

/** A selector's owner matches an owner that has every id which it names. */
export function hasIdsOf(owner: Who, wanted: Who): boolean {
  const [has, wants] = [IDS[owner], IDS[wanted]];
  return (
    (wants.userId === undefined || wants.userId === has.userId) &&
    (wants.deviceId === undefined || wants.deviceId === has.deviceId)
  );
}
