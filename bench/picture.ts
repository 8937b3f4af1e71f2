import { readFileSync, writeFileSync } from 'node:fs';
import { pictureOf } from './harness/picture.js';
import type { Report } from './harness/report.js';

const [target, ...sources] = process.argv.slice(2);
if (target === undefined || sources.length === 0) {
  throw new Error('npm run bench:picture -- TARGET.svg NODE20.json [NODE24.json]: the JSON files are those of --json.');
}
const reports = sources.map((source) => JSON.parse(readFileSync(source, 'utf8')) as Report);
writeFileSync(target, pictureOf(reports));
