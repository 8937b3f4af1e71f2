/**
 * The events of runs, for any number of subscribers: a page that is loaded again resumes, a second tab watches, a request
 * that is repeated attaches, and a stop ends them all.
 *
 * @module runfence/streams
 */

export type {
  CutItem,
  EndItem,
  EventItem,
  GapItem,
  RestartItem,
  StreamItem,
  StreamPosition,
} from './items.js';
export type { Merge } from './merge.js';
export type { PrincipalLimits, RunStreamsOptions, SubscribeOptions } from './options.js';
export { createRunStreams, type RunStreams, type StreamsUsage } from './streams.js';
export type { WatchersEvent, WatchersListener } from './watchers.js';
