import { errorOf } from '../../transport/index.js';

/** An answer that says its run, also if it is an error: it is what a client stops, or asks about. */
export async function withRunId(runId: string, answer: () => Promise<Response>): Promise<Response> {
  let response: Response;
  try {
    response = await answer();
  } catch (error) {
    response = errorOf(error).toResponse();
  }
  response.headers.set('x-run-id', runId);
  return response;
}
