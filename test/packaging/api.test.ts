import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { apiReport, committedReport, currentReport } from '../../tools/api.js';

const folder = mkdtempSync(join(tmpdir(), 'runfence-api-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('etc/api.md is what the build says (`npm run api` writes it)', () => {
  expect(committedReport()).toBe(currentReport());
});

describe('a report', () => {
  const entries = [
    { name: 'pkg', js: 'index.js', types: 'index.d.ts' },
    { name: 'pkg/more', js: 'more.js', types: 'more.d.ts' },
  ];
  const report = (chunk: string, body: string): string => {
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
    writeFileSync(join(folder, `${chunk}.d.ts`), `${body}\nexport { Run as R, type Hidden as H };\n`);
    writeFileSync(
      join(folder, 'index.d.ts'),
      `import { H as Hidden } from './${chunk}.js';\nexport { R as Run } from './${chunk}.js';\n/** Said here. */\ndeclare function hide(): Hidden;\nexport { hide };\n`,
    );
    writeFileSync(
      join(folder, 'more.d.ts'),
      `import { R as Run } from './${chunk}.js';\ninterface More { run: Run }\nexport type { More };\n`,
    );
    return apiReport(entries, folder);
  };
  const body = 'interface Hidden { a: 1 }\ninterface Run { stop(): void }';

  test('shows what is exported and what that names, wherever the bundler put it', () => {
    expect(report('chunk-A1', body).split('\n## ')[1]).toBe(`pkg

\`\`\`ts
interface Hidden {
    a: 1;
}

export interface Run {
    stop(): void;
}

export declare function hide(): Hidden;
\`\`\`
`);
  });

  test('imports what another entry exports', () => {
    expect(report('chunk-A1', body)).toContain("import { Run } from 'pkg';\n\nexport interface More {");
  });

  test('does not depend on chunk names, order or comments', () => {
    const other = '/** The run. */ interface Run { stop(): void }\n\n\ninterface Hidden { a: 1 }';
    expect(report('chunk-B2', other)).toBe(report('chunk-A1', body));
  });

  test('changes with the surface, hidden types included', () => {
    expect(report('chunk-A1', body.replace('a: 1', 'a: 2'))).not.toBe(report('chunk-A1', body));
  });
});
