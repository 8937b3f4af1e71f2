import { z } from 'zod';

/** An id that a client chooses, such as an idempotency key. */
export const clientId: z.ZodType<string> = idOf(256);

/** The id of a run. */
export const runId: z.ZodType<string> = idOf(1_024);

/** For an admin: whose session it is. */
export const owner: z.ZodType<string> = idOf(1_024);

/** A blank one is none, and the control refuses it as a mistake of the host. */
function idOf(most: number): z.ZodType<string> {
  return z
    .string()
    .max(most)
    .refine((id) => id.trim() !== '', 'must not be blank');
}
