/** Every code that an error of a gateway can have, in `error.code` of its answer, or as the reason of a close. */
export type GatewayErrorCode =
  /** The frame is no JSON. */
  | 'invalid_json'
  /** The JSON of the frame is nested too deeply. */
  | 'json_too_deep'
  /** The frame has a key that means something to JavaScript itself, such as `__proto__`. */
  | 'forbidden_key'
  /** The frame is no request. */
  | 'invalid_frame'
  /** The frame has more bytes than a frame may have. */
  | 'frame_too_large'
  /** The frame is not text. */
  | 'binary_frame'
  /** Too many frames of the connection were none. */
  | 'too_many_bad_frames'
  /** There is no such method. */
  | 'unknown_method'
  /** The parameters are not those of the method. */
  | 'invalid_params'
  /** A request of this id is still being answered. */
  | 'duplicate_request_id'
  /** The first request must be `connect`. */
  | 'not_connected'
  /** The connection has had its `connect`. */
  | 'already_connected'
  /** No `connect` came in time. */
  | 'connect_timeout'
  /** Nobody knows who this is. */
  | 'unauthenticated'
  /** What is asked for is not there, or not the requester's. */
  | 'not_found'
  /** With `revealForbidden`: it is there, and somebody else's. */
  | 'forbidden'
  /** The request was overtaken by a stop: it has started nothing. */
  | 'aborted'
  /** The session is busy, and `whenBusy` is `reject`. */
  | 'session_busy'
  /** What ran in the session before has not come to rest. */
  | 'session_not_quiet'
  /** Several users have a session of this key: an admin says whose. */
  | 'session_ambiguous'
  /** The idempotency key was used for another message. */
  | 'run_id_conflict'
  /** There are as many connections as there may be, of all or of this principal. */
  | 'too_many_connections'
  /** The principal follows as many sessions as it may. */
  | 'too_many_sessions'
  /** The principal has as many runs as it may have. */
  | 'too_many_runs'
  /** The principal has as many queued runs as it may have. */
  | 'too_many_queued'
  /** As many requests of the principal are being answered as may be. */
  | 'too_many_requests'
  /** The streams have as many subscribers as they may have. */
  | 'too_many_subscribers'
  /** The client does not read what was sent to it. */
  | 'slow_consumer'
  /** The client does not answer a ping. */
  | 'dead_peer'
  /** The server is shutting down. */
  | 'draining'
  /** The backend does not answer. */
  | 'backend_unavailable'
  /** The run has failed. */
  | 'run_failed'
  /** The server has failed. */
  | 'internal_error';
