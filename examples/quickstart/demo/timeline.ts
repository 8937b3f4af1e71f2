/** What the demo prints: a timeline per scene, the checks under it, and one table at the end. */

const colours = { dim: 2, bold: 1, red: 31, green: 32, yellow: 33, blue: 34, magenta: 35, cyan: 36 } as const;
type Colour = keyof typeof colours;

const coloured = process.stdout.isTTY === true && (process.env.NO_COLOR ?? '') === '';

export function paint(colour: Colour, text: string): string {
  return coloured ? `\u001b[${colours[colour]}m${text}\u001b[0m` : text;
}

export function ms(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return 'never';
  return `${value < 100 ? value.toFixed(1) : Math.round(value)} ms`;
}

const actors: Readonly<Record<string, Colour>> = {
  alice: 'cyan',
  bob: 'cyan',
  server: 'bold',
  runner: 'bold',
  model: 'magenta',
  tool: 'yellow',
  store: 'blue',
  system: 'green',
  cron: 'green',
};

export interface Check {
  readonly scene: string;
  readonly claim: string;
  readonly held: boolean;
  readonly evidence: string;
}

export class Timeline {
  readonly checks: Check[] = [];
  #scene = '';
  #startedAt = performance.now();

  print(line = ''): void {
    process.stdout.write(`${line}\n`);
  }

  scene(title: string): void {
    this.#scene = title;
    this.#startedAt = performance.now();
    this.print(`\n${paint('bold', title)}`);
  }

  /** One thing that happened, now. */
  event(who: string, what: string): void {
    const at = `${Math.round(performance.now() - this.#startedAt)} ms`.padStart(9);
    this.print(`${paint('dim', at)}  ${paint(actors[who] ?? 'dim', who.padEnd(7))} ${what}`);
  }

  check(held: boolean, claim: string, evidence: string): void {
    this.checks.push({ scene: this.#scene, claim, held, evidence });
    const mark = held ? paint('green', 'ok  ') : paint('red', 'FAIL');
    this.print(`     ${mark}  ${claim.padEnd(59)} ${paint('dim', evidence)}`);
  }

  table(rows: readonly (readonly string[])[]): void {
    const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
    for (const [index, row] of rows.entries()) {
      const cells = row.map((cell, column) => {
        const width = widths[column] ?? 0;
        return column === 0 ? cell.padEnd(width) : cell.padStart(width);
      });
      this.print(`  ${paint(index === 0 ? 'bold' : 'dim', cells[0] ?? '')}   ${cells.slice(1).join('   ')}`);
    }
  }
}
