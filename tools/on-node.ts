// `tsx tools/on-node.ts 24 FILE [ARGUMENT]...`: runs a program on another major of Node, which is installed if it is missing.
import { spawnSync } from 'node:child_process';
import { nodeBinary } from '../bench/harness/node.js';

const [version = '', ...command] = process.argv.slice(2);
const { status } = spawnSync(nodeBinary(version), command, { stdio: 'inherit' });
process.exitCode = status ?? 1;
