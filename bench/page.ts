// Writes the tables of docs/performance.md and its picture from what `npm run bench -- --json` wrote.
import { readFileSync, writeFileSync } from 'node:fs';
import { PAGE, PICTURE, REPORTS, withTables } from './harness/page.js';
import { pictureOf } from './harness/picture.js';
import type { Report } from './harness/report.js';

const fromRoot = (path: string): URL => new URL(`../${path}`, import.meta.url);
const reports = REPORTS.map((path) => JSON.parse(readFileSync(fromRoot(path), 'utf8')) as Report);
writeFileSync(fromRoot(PAGE), withTables(readFileSync(fromRoot(PAGE), 'utf8'), reports));
writeFileSync(fromRoot(PICTURE), pictureOf(reports));
