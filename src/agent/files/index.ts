/**
 * A history of an agent runner in a folder, for the processes of one host.
 *
 * @module runfence/agent/files
 */

export { type FileHistoryOptions, fileHistory } from './file-history.js';
