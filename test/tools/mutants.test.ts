import { existsSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { root } from '../../tools/entries.js';
import { mutants } from '../../tools/mutants/mutants.js';

it('every seeded defect still finds the lines that it changes, once each', () => {
  const lost = mutants.flatMap(({ name, file, edits }) => {
    const text = readFileSync(`${root}${file}`, 'utf8');
    return edits.filter(([find]) => text.split(find).length !== 2).map(([find]) => `${name} (${file}): ${find}`);
  });
  expect(lost).toEqual([]);
});

it('no two seeded defects have one name', () => {
  const names = mutants.map(({ name }) => name);
  expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([]);
});

it('every seeded defect names tests that are there', () => {
  expect(mutants.filter(({ shownBy }) => !existsSync(`${root}${shownBy}`)).map(({ name }) => name)).toEqual([]);
});
