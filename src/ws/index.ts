/**
 * A gateway on WebSockets, with the `ws` package on a server of `node:http`.
 *
 * @module runfence/ws
 */

export { type Attached, type AttachOptions, attachGateway } from './attach.js';
